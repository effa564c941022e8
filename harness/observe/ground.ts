import { subjectOf } from '../../chaos/faults.ts';
import type { Replica } from '../../compose/deployment.ts';
import type { PlayedFault } from '../fault-log.ts';
import type { RequestOutcome } from '../record.ts';
import {
  type GroundSecond,
  histogramOf,
  latenessOf,
  msAtPercentile,
  outcomesOf,
  paceOf,
  type RecordedPhase,
  type Recording,
} from '../recording.ts';
import type { Scraper } from './metrics.ts';
import type { Ground, Window } from './observations.ts';

/** What it takes to tell. From `countsFromMs` of the samples' time on, gateways counted the load and nothing else. */
type Seen = {
  recording: Recording;
  samples: Pick<Scraper, 'counterIncrease'>;
  replicas: readonly Replica[];
  faults: readonly PlayedFault[];
  deaths: readonly unknown[];
  countsFromMs?: number;
};

/** How the generator and its machine were in a window, and whether the visitors of these phases came. */
export function groundOf(seen: Seen, { phases, window }: { phases: readonly RecordedPhase[]; window: Window }): Ground {
  const { recording } = seen;
  const stumbles = stumblesOf(recording, phases);
  const isIn = secondsOf(phases, window);
  const isCalm = calmSeconds(seen, untilAnswered(seen, { phases, window }));
  const { lag, hiccups } = latenessOf(recording, isCalm);
  const seconds = recording.ground.filter(isCalm);
  const pace = recording.pace.filter(isIn);
  const counted = countedByGateways(seen);

  return {
    intended: phases.reduce((sum, { intended }) => sum + intended, 0),
    arrived: phases.reduce((sum, { shoppers }) => sum + shoppers, 0),
    planned: pace.reduce((sum, { planned }) => sum + planned, 0),
    dropped: pace.reduce((sum, { dropped }) => sum + dropped, 0),
    ...(stumbles === undefined ? {} : { stumbles }),
    lagMsP99: lag.totalCount === 0 ? 0 : msAtPercentile(lag, 99),
    hiccupMsP999: hiccups.totalCount === 0 ? 0 : msAtPercentile(hiccups, 99.9),
    loopUtilization: Math.max(0, ...seconds.filter(isLongEnough).map(({ loopUtilization }) => loopUtilization)),
    stealShare: meanOf(seconds, 'stealShare'),
    throttledShare: meanOf(seconds, 'throttledShare'),
    ...(counted === undefined ? {} : { counted }),
  };
}

/** Of the journeys that threw those whose visitors arrived in these phases. */
function stumblesOf({ generator }: Recording, phases: readonly RecordedPhase[]): Ground['stumbles'] {
  const names = new Set(phases.map(({ name }) => name));
  const own = (generator.stumbles.phases ?? []).filter(({ phase }) => names.has(phase));
  const [first] = own;
  return first && { ...first, count: own.reduce((sum, { count }) => sum + count, 0) };
}

/** A second that the machine had; or that a phase had of one, which may end or begin within it. */
type Second = { atMs: number; phase?: string };

/** The seconds that have a part of the window in them. Of those that two phases share, each has its own visitors; the machine is one for both. */
function secondsOf(phases: readonly RecordedPhase[], { fromMs, untilMs }: Window): (second: Second) => boolean {
  const names = new Set(phases.map(({ name }) => name));
  return ({ atMs, phase }) => atMs + secondMs > fromMs && atMs < untilMs && (phase === undefined || names.has(phase));
}

/**
 * Those, and all after them until the last answer to a request of these phases may have come: a generator or a machine that pauses then makes answers
 * late, however punctually their requests were sent. How late visitors of the next phase are then tells of the same threads. What follows a fault is
 * its aftermath, and as little in doubt.
 */
function untilAnswered(seen: Seen, { phases, window }: { phases: readonly RecordedPhase[]; window: Window }): (second: Second) => boolean {
  const { recording } = seen;
  const isIn = secondsOf(phases, window);
  const longestMs = longestResponseMs(recording, phases);
  if (longestMs === 0 || isTroubled(seen, { fromMs: window.untilMs - secondMs, untilMs: window.untilMs })) return isIn;
  const isAfter = secondsOf(recording.phases, { fromMs: window.untilMs, untilMs: window.untilMs + longestMs });
  return (second) => isIn(second) || isAfter(second);
}

/** Of one who gave up it is the time limit, and the time by which they were sent late; should they be sent very late, the lag says so by itself. */
function longestResponseMs(recording: Recording, phases: readonly RecordedPhase[]): number {
  const longest = phases.map(({ name }) => msAtPercentile(histogramOf(recording, { phase: name }), 100));
  return Math.min(Math.max(0, ...longest), recording.generator.timeoutMs + 2_000);
}

/** Those among them in which no fault was on. */
function calmSeconds(seen: Seen, isIn: (second: Second) => boolean): (second: Second) => boolean {
  return (second) => isIn(second) && !isTroubled(seen, { fromMs: second.atMs, untilMs: second.atMs + secondMs });
}

function isTroubled({ faults, recording: { startMs } }: Seen, { fromMs, untilMs }: Window): boolean {
  return faults.some((fault) => fault.askedMs - startMs < untilMs && fault.untilMs - startMs > fromMs);
}

/** Of a second that has just begun, one answer may be all that a loop was there for. */
const isLongEnough = ({ lastsMs = secondMs }: GroundSecond) => lastsMs >= 100;

/** Of all the time that is told of; 0 where the system does not tell. */
function meanOf(seconds: readonly GroundSecond[], share: 'stealShare' | 'throttledShare'): number {
  const lastMs = seconds.reduce((sum, { lastsMs = secondMs }) => sum + lastsMs, 0);
  return seconds.reduce((sum, { lastsMs = secondMs, [share]: taken = 0 }) => sum + lastsMs * taken, 0) / Math.max(1, lastMs);
}

const secondMs = 1_000;

/**
 * What the gateways say they have answered since the first shopper came. Requests without an answer may have reached them or not. A gateway that
 * was taken away has forgotten.
 */
function countedByGateways({ recording, samples, replicas, faults, deaths, countsFromMs }: Seen): Ground['counted'] {
  const gateways = replicas.filter(({ service }) => service === 'gateway');
  const isGone = deaths.length > 0 || faults.some(({ fault }) => subjectOf(fault) === 'gateway');
  if (gateways.length === 0 || isGone || countsFromMs === undefined) return undefined;
  const window = { fromMs: countsFromMs, untilMs: Number.POSITIVE_INFINITY };
  const counts = gateways.map(({ instance }) =>
    samples.counterIncrease({ name: 'http_server_requests_code_total', labels: { instance }, window }).get(instance),
  );
  // Nothing is known of a gateway that was never read.
  if (counts.includes(undefined)) return undefined;
  const byServer = Math.round(counts.reduce<number>((sum, count = 0) => sum + count, 0));
  const outcomes = Object.entries(outcomesOf(recording));
  const answered = outcomes.reduce((sum, [outcome, count]) => (unanswered.includes(outcome as RequestOutcome) ? sum : sum + count), 0);
  const { sent } = paceOf(recording);
  return { answered, sent: sent + recording.repeated.asked, byServer };
}

const unanswered: readonly RequestOutcome[] = ['timeout', 'failed', 'reset', 'refused', 'dropped'];
