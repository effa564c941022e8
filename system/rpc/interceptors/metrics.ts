import type { Counter, Histogram } from 'prom-client';
import type { RunClock } from '../../../core/time.ts';
import { grpcStatusOf, httpStatusOf } from '../../errors.ts';
import type { Call, Interceptor } from './interceptor.ts';

/** Notes how long a call took and how it ended; `thrown` is undefined for success. */
type Observe<C extends Call> = (call: C, tookMs: number, thrown?: unknown) => void;

export function metrics<C extends Call>({ clock }: { clock: RunClock }, observe: Observe<C>): Interceptor<C> {
  return async function metrics(call, next) {
    const startMs = clock.nowMs();
    try {
      const answer = await next(call);
      observe(call, clock.nowMs() - startMs);
      return answer;
    } catch (error) {
      observe(call, clock.nowMs() - startMs, error);
      throw error;
    }
  };
}

/** go-zero's instruments for one method. The label values are bound once, because looking them up costs more than counting. */
export function observeRpc(
  instruments: { duration: Histogram<'method'>; codes: Counter<'method' | 'code'> },
  method: string,
): Observe<Call> {
  const duration = instruments.duration.labels(method);
  const counters = bound((code) => instruments.codes.labels(method, String(code)));
  return function observeRpc(_call, tookMs, thrown) {
    duration.observe(Math.trunc(tookMs));
    counters(thrown === undefined ? 0 : grpcStatusOf(thrown)).inc();
  };
}

export function observeHttp(
  instruments: { duration: Histogram<'path' | 'method' | 'code'>; codes: Counter<'path' | 'method' | 'code'> },
  { method, path }: { method: string; path: string },
): Observe<Call & { reply: { statusCode: number } }> {
  const byCode = bound((code) => ({
    duration: instruments.duration.labels(path, method, String(code)),
    count: instruments.codes.labels(path, method, String(code)),
  }));
  return function observeHttp({ reply }, tookMs, thrown) {
    const { duration, count } = byCode(thrown === undefined ? reply.statusCode : httpStatusOf(thrown));
    duration.observe(Math.trunc(tookMs));
    count.inc();
  };
}

/** Status codes are few, so what is made for one is kept. */
function bound<T>(make: (code: number) => T): (code: number) => T {
  const made = new Map<number, T>();
  return function ofCode(code) {
    let known = made.get(code);
    if (known === undefined) {
      known = make(code);
      made.set(code, known);
    }
    return known;
  };
}
