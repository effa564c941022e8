import type { ProcessControl } from './deployment.ts';
import type { RunningProcess } from './process.ts';

/** A place for one process after the other, each on the same addresses. `open` starts the next one and waits until it is ready. */
export type Seat = { instance: string; process: RunningProcess; open: () => Promise<RunningProcess> };

/** Lets the processes in these seats be killed, stopped, paused and started again; what is asked of one seat is done in turn. */
export function controlOf({ seats, graceMs }: { seats: readonly Seat[]; graceMs: number }): ProcessControl {
  const turns = new Map(seats.map((seat) => [seat.instance, { seat: { ...seat }, last: Promise.resolve() }]));

  return {
    kill: (instance) => inTurn(instance, ({ process }) => process.kill()),
    stop: (instance) => inTurn(instance, ({ process }) => process.stop(graceMs)),
    start: (instance) =>
      inTurn(instance, async (seat) => {
        if (seat.process.hasEnded()) seat.process = await seat.open();
      }),
    pause: (instance) => inTurn(instance, ({ process }) => process.pause()),
    resume: (instance) => inTurn(instance, async ({ process }) => process.resume()),
  };

  async function inTurn(instance: string, work: (seat: Seat) => Promise<void>): Promise<void> {
    const turn = turns.get(instance);
    if (turn === undefined) throw new RangeError(`Expected a process of the mall (${[...turns.keys()].join(', ')}), got '${instance}'`);
    const done = turn.last.then(() => work(turn.seat));
    turn.last = done.catch(() => undefined);
    await done;
  }
}
