import { messageOf } from '../core/errors.ts';
import { type Fault, isProcessFault, type NetworkFault, type ProcessFault } from './faults.ts';

/** Where faults are put into effect: the network's wires, or the mall's processes. */
export type Target<F extends Fault = Fault> = {
  /** The wires (`orders->payment.1`) or processes (`payment.1`) that a fault concerns. A replica that does not exist is a `UsageError`. */
  placesOf(fault: F): string[];
  /** Applies the fault at all its places, or at none and throws. */
  apply(fault: F): Promise<Undo>;
};

/** Undoes one application of a fault, each on its own where several overlap at a place. It may be called again, as after an error. */
export type Undo = () => Promise<void>;

/** One target of both. */
export function targetOf({ network, processes }: { network: Target<NetworkFault>; processes: Target<ProcessFault> }): Target {
  return {
    placesOf: (fault) => (isProcessFault(fault) ? processes.placesOf(fault) : network.placesOf(fault)),
    apply: (fault) => (isProcessFault(fault) ? processes.apply(fault) : network.apply(fault)),
  };
}

/** Does something everywhere, side by side. Where one fails all others are undone, and the first trouble is thrown. */
export async function atAllOrNone<T>(places: readonly T[], apply: (place: T) => Promise<Undo>): Promise<Undo> {
  const attempts = await Promise.allSettled(places.map(apply));
  const undos = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
  const failed = attempts.find((attempt) => attempt.status === 'rejected');
  if (failed === undefined) return () => all(undos.map((undo) => undo()));
  await Promise.allSettled(undos.map((undo) => undo()));
  throw failed.reason;
}

/** Waits for all of them, then throws if one failed. */
export async function all(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown);
  if (failed.length > 1)
    throw new AggregateError(failed, `${failed.length} of ${works.length} calls failed, the first: ${messageOf(failed[0])}`);
  if (failed.length === 1) throw failed[0];
}

/**
 * One more fault keeps something in its state: counts it, and lets `settle` bring about what the count says; undone, it is counted no more.
 * Whoever cannot be settled at first is not counted.
 */
export async function hold(state: { holders: number }, settle: () => Promise<void>): Promise<Undo> {
  state.holders += 1;
  let isHeld = true;
  const undo = () => {
    if (isHeld) state.holders -= 1;
    isHeld = false;
    return settle();
  };
  try {
    await settle();
    return undo;
  } catch (error) {
    await undo().catch(() => {
      // The first error says more.
    });
    throw error;
  }
}
