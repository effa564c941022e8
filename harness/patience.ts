import { UsageError } from '../core/errors.ts';
import type { OpenDriver } from './drivers/open.ts';

/**
 * Waits until all visitors have left. Visits may be long, but not endless: when patience runs out, `breakOff` hears why, and has to break the load
 * off; then only answers are waited for. Throws a `UsageError` when a journey keeps its thread so busy that this never gets through.
 */
export async function everyoneLeaves({
  driver,
  breakOff,
}: {
  driver: Pick<OpenDriver, 'drained'>;
  breakOff: (why: string) => void;
}): Promise<void> {
  const left = driver.drained();
  if (await comesWithin(longestVisitMs, left)) return;
  breakOff(`some visitors had not left ${longestVisitMs / 60_000} minutes after the last arrival`);
  if (await comesWithin(longestAnswerMs, left)) return;
  throw new UsageError(`The load was broken off, but after ${longestAnswerMs / 1_000} s a journey still keeps its thread busy`);
}

const longestVisitMs = 600_000;
/** No time limit is above a minute. */
const longestAnswerMs = 90_000;

async function comesWithin(ms: number, event: Promise<void>): Promise<boolean> {
  const over = Promise.withResolvers<false>();
  const timer = setTimeout(over.resolve, ms, false);
  try {
    return await Promise.race([event.then(() => true), over.promise]);
  } finally {
    clearTimeout(timer);
  }
}
