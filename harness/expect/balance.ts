import { UsageError } from '../../core/errors.ts';
import { type Percent, toShare } from '../../core/units.ts';
import { type Edge, endsOf, isService } from '../../system/topology.ts';
import type { Expectation } from './expectation.ts';
import { checkEdge } from './names.ts';
import { percent, unknown, verdict } from './verdicts.ts';

/** How callers spread over the replicas of a callee: `balance('orders->inventory').avoids(2, { below: '15%' })`. */
export function balance(edge: Edge) {
  checkEdge(edge);
  const { callee } = endsOf(edge);
  if (!isService(callee)) throw new UsageError(`Expected an edge to a service that has replicas, got '${edge}'`);
  return {
    avoids(replica: number, { below }: { below: Percent }): Expectation {
      const limit = toShare(below);
      return {
        edge,
        sentence: `${edge} sends replica ${replica} less than ${below} of its calls`,
        restsOnLoad: true,
        replica: { service: callee, replica },
        judge(seen) {
          const { bySpan, byCounter } = seen.picks(edge);
          const [spans, counted] = [shareOf(replica, bySpan), shareOf(replica, byCounter)];
          if (spans === undefined || counted === undefined) return unknown(`no ${spans === undefined ? 'spans' : 'pick counts'} were seen`);
          const observed = `${percent(spans.share)} of ${spans.total} by spans, ${percent(counted.share)} of ${counted.total} by pick counter`;
          const death = seen.deaths().find(({ instance }) => instance === `${callee}.${replica}`);
          if (death !== undefined) return unknown(`${death.instance} died (${death.how}); ${observed}`);
          if (spans.total < picksThatTell || spans.share === 0) return unknown(`too few calls to tell: ${observed}`);
          // Spans of calls that never got a connection name no replica, and scrapes fall a second beside the phase's edges.
          if (Math.abs(spans.share - counted.share) > 0.05) return unknown(`the two counts disagree: ${observed}`);
          return verdict(spans.share < limit && counted.share < limit, observed);
        },
      };
    },
  };
}

/** Fewer picks than this say nothing about those that were not made. */
const picksThatTell = 30;

function shareOf(replica: number, counts: ReadonlyMap<number, number>): { share: number; total: number } | undefined {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return total === 0 ? undefined : { share: (counts.get(replica) ?? 0) / total, total };
}
