import { trace } from '@opentelemetry/api';
import { refused } from '../errors.ts';
import { guardedBy } from '../governance/guarded.ts';
import { remainingMs } from '../rpc/context.ts';
import type { Runtime } from '../runtime.ts';
import { observedBreaker } from '../telemetry/governance.ts';
import { attributes } from '../telemetry/names.ts';

/** Runs work on a store, unless its breaker refuses or the call has no time left; `onRefused` is told of the breaker's refusals. */
type Guard = <T>(work: () => Promise<T>, onRefused?: () => void) => Promise<T>;

/** One breaker for one store. `hasFailed` says which rejections are the store's fault. */
export function createGuard(
  runtime: Runtime,
  { name, kind, hasFailed }: { name: string; kind: 'sql' | 'redis'; hasFailed: (thrown: unknown) => boolean },
): Guard {
  const guarded = runtime.config.tuning.breaker.enabled
    ? guardedBy(observedBreaker(runtime, { name, kind }), { hasFailed })
    : <T>(work: () => Promise<T>) => work();
  return async function guard(work, onRefused) {
    if (remainingMs(runtime.clock) <= 0) throw refused('deadline');
    return guarded(work, async () => {
      onRefused?.();
      trace.getActiveSpan()?.setAttribute(attributes.refusedBy, 'breaker');
      throw refused('breaker');
    });
  };
}
