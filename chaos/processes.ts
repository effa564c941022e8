import { UsageError } from '../core/errors.ts';
import { instanceName, type Service } from '../system/topology.ts';
import type { ProcessFault } from './faults.ts';
import { atAllOrNone, hold, type Target, type Undo } from './target.ts';

/**
 * What a deployment lets one do to its processes. Each takes an instance such as `orders.1`, resolves when it is done, waits for those before
 * it on the same instance, and does nothing where it is done already.
 */
export type ProcessControl = {
  /** Ends it without warning. */
  kill: (instance: string) => Promise<void>;
  /** Lets it end in order. */
  stop: (instance: string) => Promise<void>;
  /** Starts it again and waits until it is ready. */
  start: (instance: string) => Promise<void>;
  pause: (instance: string) => Promise<void>;
  resume: (instance: string) => Promise<void>;
};

/**
 * Kills, pauses and restarts processes of the mall. Where such faults overlap on a process it stays down, or still, until the last of them ends.
 * What ends a restart is that the process is back: its `Undo` waits for that.
 */
export function createProcesses({
  control,
  replicas,
}: {
  control: ProcessControl;
  replicas: Readonly<Record<Service, number>>;
}): Target<ProcessFault> {
  const states = new Map<string, State>();

  return {
    placesOf,
    apply: ({ kind, ...fault }) => atAllOrNone(placesOf({ kind, ...fault }), (instance) => applyTo(instance, kind)),
  };

  function placesOf({ service, replica }: ProcessFault): string[] {
    const count = replicas[service];
    if (replica === undefined) return Array.from({ length: count }, (_, index) => instanceName(service, index + 1));
    if (replica < 1 || replica > count) throw new UsageError(`Expected a replica of '${service}' from 1 to ${count}, got ${replica}`);
    return [instanceName(service, replica)];
  }

  async function applyTo(instance: string, kind: ProcessFault['kind']): Promise<Undo> {
    const state = states.get(instance) ?? { down: { holders: 0 }, still: { holders: 0 } };
    states.set(instance, state);
    const settle = () => settleAs(instance, state);
    if (kind !== 'restart') return await hold(kind === 'kill' ? state.down : state.still, settle);
    const back = control.stop(instance).then(settle);
    // Whoever undoes it hears of it; until then it is nobody's unhandled rejection.
    back.catch(() => {});
    return () => back;
  }

  async function settleAs(instance: string, { down, still }: State): Promise<void> {
    if (down.holders > 0) return await control.kill(instance);
    await control.start(instance);
    await (still.holders > 0 ? control.pause(instance) : control.resume(instance));
  }
}

/** How many faults keep a process down, and how many keep it still. */
type State = Record<'down' | 'still', { holders: number }>;
