import { UsageError } from '../../core/errors.ts';
import type { Edge } from '../../system/topology.ts';
import type { Expectation } from './expectation.ts';
import { checkEdge } from './names.ts';
import { unknown, verdict } from './verdicts.ts';

/**
 * How many calls leave a caller for each one that it wants to make: retries add to the load of a callee that is in trouble.
 * `amplification('orders->inventory').below(1.2)`
 */
export function amplification(edge: Edge) {
  checkEdge(edge);
  return {
    below(limit: number): Expectation {
      if (!(limit > 0)) throw new UsageError(`Expected an amplification above 0 for ${edge}, got ${limit}`);
      return {
        edge,
        sentence: `fewer than ${limit} calls are sent on ${edge} for each one that is wanted`,
        restsOnLoad: true,
        judge(seen) {
          const { count, retried, refused } = seen.calls(edge);
          const wanted = count - retried;
          if (wanted < callsThatTell) return unknown(`${wanted} calls were wanted on this edge: too few to tell`);
          const sent = count - refused;
          return verdict(
            sent / wanted < limit,
            `${(sent / wanted).toFixed(2)}: ${sent} sent for ${wanted} wanted, ${retried} of them retries`,
          );
        },
      };
    },
  };
}

const callsThatTell = 5;
