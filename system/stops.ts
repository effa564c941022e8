import type { Logger } from 'pino';

export type Stops = {
  /** `stop` is run when the process ends, the last registered first. */
  onStop(name: string, stop: () => Promise<void>): void;
  /** Runs them one after the other, once. Never rejects: one that fails is logged; when `patienceMs` have passed, whoever is still at it is named and the rest given up. */
  stopAll(): Promise<void>;
};

export function createStops(log: Logger, { patienceMs = 6_000 }: { patienceMs?: number } = {}): Stops {
  const stops: { name: string; stop: () => Promise<void> }[] = [];
  let stopping: Promise<void> | undefined;

  async function runWithinPatience() {
    const names = stops.map(({ name }) => name);
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      const [hung, ...rest] = names.reverse();
      log.error({ givenUp: rest }, `Stopping '${hung}' took too long: after ${patienceMs} ms the process ends without it`);
      patience.resolve();
    }, patienceMs);
    await Promise.race([runInReverse(names), patience.promise]);
    clearTimeout(timer);
  }

  async function runInReverse(waiting: string[]) {
    for (const { name, stop } of stops.toReversed()) {
      await stop().catch((err) => log.warn({ err }, `Stopping '${name}' failed`));
      waiting.pop();
    }
  }

  return {
    onStop: (name, stop) => void stops.push({ name, stop }),
    stopAll() {
      stopping ??= runWithinPatience();
      return stopping;
    },
  };
}
