import type { Logger } from 'pino';
import type { Tuning } from './tuning.ts';

/** How a process ends, in two steps: callers hear that it leaves, and when they have had time to turn elsewhere it stops (governance.md 8.4). */
export type Stops = {
  /**
   * `leave` is run as soon as the process is told to end, and at once if it has been: beside all others and without being waited for.
   * Leaving etcd, say.
   */
  onLeave(name: string, leave: () => Promise<void>): void;
  /** `stop` is run `wrapUpMs` later, the last registered first, one after the other. Where nobody leaves, there is nothing to wait for. */
  onStop(name: string, stop: () => Promise<void>): void;
  /**
   * Does both, once. Never rejects: what fails is logged; `waitMs` after it began, whoever is still at it is named and the rest given up.
   */
  stopAll(): Promise<void>;
};

type Step = { name: string; run: () => Promise<void> };

export function createStops(log: Logger, { wrapUpMs, waitMs }: Tuning['stop']): Stops {
  const leaves: Step[] = [];
  const stops: Step[] = [];
  let current = 'wrapping up';
  let stopping: Promise<void> | undefined;

  async function stopWithinPatience() {
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      const givenUp = stops.map(({ name }) => name).reverse();
      log.error({ givenUp }, `Stopping '${current}' took too long: after ${waitMs} ms the process ends without it`);
      patience.resolve();
    }, waitMs);
    await Promise.race([leaveAndStop(), patience.promise]);
    clearTimeout(timer);
  }

  async function leaveAndStop() {
    for (const step of leaves) leave(step);
    if (leaves.length > 0) await new Promise((resolve) => setTimeout(resolve, wrapUpMs));
    // One by one, as a step that has only now begun may leave something behind to be stopped.
    for (let step = stops.pop(); step !== undefined; step = stops.pop()) {
      current = step.name;
      await attempt(step, 'Stopping');
    }
  }

  const leave = (step: Step) => attempt(step, 'Leaving');

  async function attempt({ name, run }: Step, what: string) {
    try {
      await run();
    } catch (err) {
      log.warn({ err }, `${what} '${name}' failed`);
    }
  }

  return {
    onLeave(name, run) {
      // Who is told to end while it starts shall not be called either.
      if (stopping === undefined) leaves.push({ name, run });
      else leave({ name, run });
    },
    onStop: (name, run) => void stops.push({ name, run }),
    stopAll() {
      stopping ??= stopWithinPatience();
      return stopping;
    },
  };
}
