import type { Behaviour } from './behaviour.ts';
import type { Measured, Workload } from './contestant.ts';
import { atLeast, atMost, between, exactly, type Target, type TruthFigure, toRead, type Unit, within, withinShare } from './figure.ts';
import type { Logged } from './messages.ts';
import {
  dispersion,
  overloadPercentileMs,
  overloadTimeouts,
  percentile,
  planned,
  respondedMs,
  servedMs,
  stallPercentileMs,
} from './truth.ts';

/** One story of the truth benchmark: what is asked of a contestant, what the server does meanwhile, and what is true by arithmetic. */
export type Script = {
  name: string;
  about: string;
  workload: Omit<Workload, 'url'>;
  behaviour: Behaviour;
  /** The server's process is stopped this long after the first request. */
  stop?: { atMs: number; lastsMs: number };
  figures: (seen: Seen) => TruthFigure[];
};

/** All that is known of one play. `stoppedMs` is how long the server was really stopped; `pingMs` what one request costs here when nobody waits. */
export type Seen = {
  workload: Omit<Workload, 'url'>;
  measured: Measured & { cpuMs: number };
  logged: Logged;
  stoppedMs: number;
  pingMs: number;
};

const calm = { lastsMs: 8_000, arrivals: 'uniform', connections: 50, timeoutMs: 2_000 } as const;
const atOnce: Behaviour = { serves: { kind: 'atOnce' } };
/** How far a histogram's bucket may lie below what was put into it. */
const bucketShare = 0.01;

export const scripts: readonly Script[] = [
  {
    name: 'uniform',
    about:
      '2,000/s like clockwork. Requests per 10 ms vary by nothing (index of dispersion 0), and none is late. All of its CPU time counts, from its start to its end.',
    workload: { ...calm, ratePerSecond: 2_000 },
    behaviour: atOnce,
    figures: (seen) => [
      shape(seen, { ...atMost(0.2), truth: 0 }),
      figure('lag p50', 'ms', seen.measured.lagMs?.p50, atMost(0.1)),
      figure('lag p90', 'ms', seen.measured.lagMs?.p90, atMost(0.25)),
      figure('lag p99', 'ms', seen.measured.lagMs?.p99, atMost(1)),
      figure('CPU, of a core', '%', (seen.measured.cpuMs / seen.workload.lastsMs) * 100, atMost(20)),
      ...counts(seen),
    ],
  },
  {
    name: 'poisson',
    about:
      '1,000/s of visitors who know nothing of each other: the index of dispersion is 1, and of 800 bins nearly always within a tenth of it.',
    workload: { ...calm, arrivals: 'poisson', ratePerSecond: 1_000 },
    behaviour: atOnce,
    // Chance decides how many come: four standard deviations.
    figures: (seen) => [
      shape(seen, { ...between(0.9, 1.1), truth: 1 }),
      ...counts(seen, within(planned(seen.workload), { by: Math.round(4 * Math.sqrt(planned(seen.workload))) })),
    ],
  },
  {
    name: 'ramp',
    about: '1/s to 3,000/s in a straight line of 10 s: (1 + 3,000) / 2 · 10 s = 15,005 requests.',
    workload: { ...calm, lastsMs: 10_000, ratePerSecond: 1, toPerSecond: 3_000 },
    behaviour: atOnce,
    figures: counts,
  },
  {
    name: 'stall',
    about:
      '1,000/s, and after 4 s the server is stopped for S = 1 s of T = 8 s. Who was due then waits for the rest of it: percentile q is S − (1 − q) · T, with S by the stamps of SIGSTOP and SIGCONT.',
    workload: { ...calm, ratePerSecond: 1_000 },
    behaviour: atOnce,
    stop: { atMs: 4_000, lastsMs: 1_000 },
    figures: (seen) => {
      const truth = (share: number) =>
        stallPercentileMs({ share, stoppedMs: seen.stoppedMs, lastsMs: seen.workload.lastsMs }) ?? Number.NaN;
      const responded = respondedMs(seen.logged, seen.workload);
      return responses(seen, responded, {
        p50: { ...atMost(2), truth: seen.pingMs },
        // Who was due late in the stop waits no less for all who were due before than for its end: the log has both.
        p90: toRead(truth(0.9)),
        p99: withinShare(truth(0.99), 0.02),
        p999: withinShare(truth(0.999), 0.01),
      }).concat(counts(seen));
    },
  },
  {
    name: 'constant',
    about: '500/s, each answered after 100 ms: every percentile is 100 ms.',
    workload: { ...calm, ratePerSecond: 500 },
    behaviour: { serves: { kind: 'after', delayMs: 100 } },
    figures: (seen) => answersAfter(seen, 100).concat(counts(seen)),
  },
  {
    name: 'reset',
    about:
      '500/s, answered after 20 ms, and every 50th connection is reset instead. The contestant counts as many errors as the server made, and the other percentiles are 20 ms.',
    workload: { ...calm, ratePerSecond: 500 },
    behaviour: { serves: { kind: 'after', delayMs: 20 }, spoils: { every: 50, by: 'reset' } },
    figures: (seen) => [errors(seen), ...answersAfter(seen, 20), ...counts(seen)],
  },
  {
    name: 'fin',
    about: 'The same, but every 50th connection is closed in good order, without an answer. That is an error all the same.',
    workload: { ...calm, ratePerSecond: 500 },
    behaviour: { serves: { kind: 'after', delayMs: 20 }, spoils: { every: 50, by: 'fin' } },
    figures: (seen) => [errors(seen), ...answersAfter(seen, 20), ...counts(seen)],
  },
  {
    name: 'hang',
    about:
      '500/s, answered after 20 ms, and every 50th never, with a time limit of 1 s. 2 % ran into it, so p99 is at least 1 s: what takes too long may not leave the figures.',
    workload: { ...calm, ratePerSecond: 500, timeoutMs: 1_000 },
    behaviour: { serves: { kind: 'after', delayMs: 20 }, spoils: { every: 50, by: 'hang' } },
    figures: (seen) => [
      figure('time-outs', '', seen.measured.timeouts, exactly(seen.logged.spoilt.hang)),
      ...responses(seen, undefined, {
        p50: within(20, { by: 1 }),
        p90: within(20, { by: 1 }),
        p99: atLeastAbout(seen.workload.timeoutMs),
      }),
      ...counts(seen),
    ],
  },
  {
    name: 'floor',
    about:
      '500/s to a server that answers at once. No client can be faster than a bare socket that asks in turn, and ours may add little to it.',
    workload: { ...calm, ratePerSecond: 500 },
    behaviour: atOnce,
    figures: (seen) => [
      figure('p50', 'ms', seen.measured.percentilesMs.p50, { ...between(servedP50(seen), 0.25), truth: seen.pingMs, words: '≤ 0.25, > 0' }),
      figure('p90', 'ms', seen.measured.percentilesMs.p90),
      figure('p99', 'ms', seen.measured.percentilesMs.p99),
      ...counts(seen),
    ],
  },
  {
    name: 'overload',
    about:
      '400/s to a server that can do 200/s, one at a time. Nobody waits for answers, so request i waits i · (1/μ − 1/λ) + 1/μ: p50 is 4 s. Who waits 6 s gives up, and is served all the same; p90 is at least 6 s.',
    workload: { ...calm, ratePerSecond: 400, timeoutMs: 6_000 },
    behaviour: { serves: { kind: 'inTurn', serviceMs: 5 } },
    figures: (seen) => {
      const overload = { ...seen.workload, serviceMs: 5 };
      return [
        ...responses(seen, respondedMs(seen.logged, seen.workload), {
          p50: withinShare(overloadPercentileMs(overload, 0.5), 0.02),
          p90: atLeastAbout(seen.workload.timeoutMs),
          p99: atLeastAbout(seen.workload.timeoutMs),
        }),
        figure('time-outs', '', seen.measured.timeouts, withinShare(overloadTimeouts(overload, seen.workload.timeoutMs), 0.01)),
        ...counts(seen),
      ];
    },
  },
  {
    name: 'own pause',
    about:
      '1,000/s, and after 4 s whoever sends stands still for 100 ms. The server is as fast as ever: lag and response are P − (1 − q) · T as in the stall, service is not touched.',
    workload: { ...calm, ratePerSecond: 1_000, ownPause: { atMs: 4_000, lastsMs: 100 } },
    behaviour: atOnce,
    figures: (seen) => {
      const truth = (share: number) => stallPercentileMs({ share, stoppedMs: 100, lastsMs: seen.workload.lastsMs }) ?? Number.NaN;
      return [
        figure('lag p99', 'ms', seen.measured.lagMs?.p99, within(truth(0.99), { by: 4 })),
        // The hundred that were held up have to be sent and read, which takes a few milliseconds more.
        figure('p99', 'ms', seen.measured.percentilesMs.p99, {
          ...between(truth(0.99) - 2, truth(0.99) + 8),
          truth: truth(0.99),
          words: '− 2, + 8',
        }),
        figure('p99.9', 'ms', seen.measured.percentilesMs.p999, {
          ...between(truth(0.999) - 2, truth(0.999) + 8),
          truth: truth(0.999),
          words: '− 2, + 8',
        }),
        figure('service p99', 'ms', seen.measured.serviceMsP99, atMost(5)),
        ...counts(seen),
      ];
    },
  },
];

function figure(name: string, unit: Unit, said: number | undefined, target?: Target): TruthFigure {
  return { name, unit, said, ...(target && { target }) };
}

const shape = ({ logged }: Seen, target: Target) => figure('dispersion', '', dispersion(logged.arrivedUs), target);

const percentiles = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 } as const;
const percentileNames = { p50: 'p50', p90: 'p90', p99: 'p99', p999: 'p99.9' } as const;
type Percentile = keyof typeof percentiles;

/** `byLogMs` are the response times that the server's log tells. */
function responses({ measured }: Seen, byLogMs: Float64Array | undefined, targets: Partial<Record<Percentile, Target>>): TruthFigure[] {
  return (Object.keys(percentiles) as Percentile[]).flatMap((which) => {
    const target = targets[which];
    if (target === undefined) return [];
    const byLog = byLogMs && percentile(byLogMs, percentiles[which]);
    return [
      {
        ...figure(percentileNames[which], 'ms', measured.percentilesMs[which], target),
        ...(byLog !== undefined && Number.isFinite(byLog) && { byLog }),
      },
    ];
  });
}

/** At p99.9 a few requests decide, and the machine over them: 10,000 are needed to claim it. */
function answersAfter(seen: Seen, delayMs: number): TruthFigure[] {
  const target = within(delayMs, { by: 1 });
  return responses(seen, servedMs(seen.logged), { p50: target, p90: target, p99: target, p999: toRead(delayMs) });
}

function errors({ measured, logged }: Seen): TruthFigure {
  const seen = Object.values(measured.errors).reduce((sum, count) => sum + count, 0);
  return figure('errors', '', seen, exactly(logged.spoilt.reset + logged.spoilt.fin));
}

/** A plan is kept when every request of it was sent, or it is told what became of it; and the server's count is the same. */
function counts(seen: Seen, plan: Target = exactly(planned(seen.workload))): TruthFigure[] {
  const { measured, logged } = seen;
  const accounted = accountedFor(measured);
  return [
    figure('planned', '', measured.planned, plan),
    figure('accounted for', '', accounted, measured.planned === undefined ? plan : exactly(measured.planned)),
    figure('sent', '', measured.sent, exactly(logged.arrived)),
    figure('arrived', '', logged.arrived, plan),
  ];
}

/** How many requests a contestant tells the end of. */
export function accountedFor({ answered, errors, timeouts = 0, dropped = 0 }: Measured): number {
  return answered + Object.values(errors).reduce((sum, count) => sum + count, 0) + timeouts + dropped;
}

const servedP50 = ({ logged }: Seen): number => percentile(servedMs(logged), 0.5) ?? 0;

const atLeastAbout = (ms: number): Target => ({ ...atLeast(ms * (1 - bucketShare)), truth: ms, words: 'at least, − 1 %' });
