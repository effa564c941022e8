import type { RequestOutcome } from '../record.ts';
import { newHistogram, type Recording, toBase64 } from '../recording.ts';
import type { CrowdRows } from './crowd-worker.ts';
import { toHistogram } from './ledger/ledger.ts';

/** What a crowd did in a phase, in which nobody arrived by a plan. */
export type PlayedCrowd = { phase: string } & CrowdRows;

/**
 * Puts the phases of crowds into the recording of a run. Whoever came was sent, but for those that this machine had no socket for: a crowd has no
 * plan that it could miss. Its times are service
 * times, from sending to the end, and stand where those of open load are response times.
 */
export function withCrowds(recording: Recording, crowds: readonly PlayedCrowd[]): Recording {
  return crowds.reduce(withCrowd, recording);
}

function withCrowd(recording: Recording, { phase: name, seconds, shoppers, checkouts }: PlayedCrowd): Recording {
  const phase = recording.phases.find((candidate) => candidate.name === name);
  if (phase === undefined) throw new RangeError(`Expected the recording to have the phase '${name}'`);
  const rows = seconds.map(({ second, route, outcome, buckets }) => {
    const histogram = toHistogram(buckets);
    const { totalCount: count } = histogram;
    return { atMs: phase.fromMs + second * 1_000, route, outcome, count, histogram: outcome === 'dropped' ? newHistogram() : histogram };
  });
  const whole = paceOf(rows);
  const totals = new Map<string, Omit<(typeof rows)[number], 'atMs'>>();
  for (const { route, outcome, count, histogram } of rows) {
    const total = totals.get(`${route} ${outcome}`) ?? { route, outcome, count: 0, histogram: newHistogram() };
    totals.set(`${route} ${outcome}`, total);
    total.count += count;
    total.histogram.add(histogram);
  }

  return {
    ...recording,
    // Those who came before may still make requests in it.
    phases: recording.phases.map((other) =>
      other === phase
        ? {
            ...{ ...phase, intended: shoppers, shoppers },
            ...{ planned: phase.planned + whole.planned, sent: phase.sent + whole.sent, dropped: phase.dropped + whole.dropped },
          }
        : other,
    ),
    totals: [
      ...recording.totals,
      ...[...totals.values()].map(({ histogram, ...total }) => ({
        ...{ phase: name, ...total },
        ...{ histogram: toBase64(histogram), service: toBase64(histogram) },
        // Autocannon tells of no first byte.
        ...{ firstByte: toBase64(newHistogram()), queue: toBase64(newHistogram()) },
      })),
    ],
    seconds: [...recording.seconds, ...rows.map((row) => ({ phase: name, ...row, histogram: toBase64(row.histogram) }))],
    pace: [
      ...recording.pace,
      ...[...new Set(rows.map(({ atMs }) => atMs))].map((atMs) => {
        const pace = paceOf(rows.filter((row) => row.atMs === atMs));
        return { phase: name, atMs, ...pace, lag: toBase64(newHistogram()) };
      }),
    ],
    checkouts: {
      ...recording.checkouts,
      kept: [...recording.checkouts.kept, ...checkouts.map((checkout) => ({ ...checkout, phase: name }))],
    },
  };
}

function paceOf(rows: readonly { outcome: RequestOutcome; count: number }[]): { planned: number; sent: number; dropped: number } {
  const planned = rows.reduce((sum, { count }) => sum + count, 0);
  const dropped = rows.reduce((sum, { outcome, count }) => (outcome === 'dropped' ? sum + count : sum), 0);
  return { planned, sent: planned - dropped, dropped };
}
