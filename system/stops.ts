import type { Logger } from 'pino';
import type { Tuning } from './tuning.ts';

/** How a process ends, in two steps: callers hear that it leaves, and when they have had time to turn elsewhere it stops (governance.md 8.4). */
export type Stops = {
  /** `leave` is run as soon as the process is told to end, beside all others and without being waited for: leaving etcd, say. */
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
  let stopping: Promise<void> | undefined;

  async function stopWithinPatience() {
    const waiting = stops.map(({ name }) => name);
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      const [hung = 'wrapping up', ...rest] = waiting.reverse();
      log.error({ givenUp: rest }, `Stopping '${hung}' took too long: after ${waitMs} ms the process ends without it`);
      patience.resolve();
    }, waitMs);
    await Promise.race([leaveAndStop(waiting), patience.promise]);
    clearTimeout(timer);
  }

  async function leaveAndStop(waiting: string[]) {
    for (const { name, run } of leaves) run().catch((err) => log.warn({ err }, `Leaving '${name}' failed`));
    if (leaves.length > 0) await new Promise((resolve) => setTimeout(resolve, wrapUpMs));
    for (const { name, run } of stops.toReversed()) {
      await run().catch((err) => log.warn({ err }, `Stopping '${name}' failed`));
      waiting.pop();
    }
  }

  return {
    onLeave: (name, run) => void leaves.push({ name, run }),
    onStop: (name, run) => void stops.push({ name, run }),
    stopAll() {
      stopping ??= stopWithinPatience();
      return stopping;
    },
  };
}
