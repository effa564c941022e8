import { toMs } from '../../core/units.ts';
import { type Edge, endsOf } from '../../system/topology.ts';
import type { Observations } from '../observe/observations.ts';
import type { Verdict } from '../record.ts';
import type { Expectation, Within } from './expectation.ts';
import { checkEdge } from './names.ts';
import { met, missed, named, seconds, unknown, verdict } from './verdicts.ts';

/**
 * The circuit breaker of the callers on an edge. It *opens* with its first local refusal in the phase, and is *closed* when there are
 * no more: `breaker('orders->payment').opens({ within: '15s' })`.
 */
export function breaker(edge: Edge) {
  checkEdge(edge);
  return {
    opens({ within }: Within): Expectation {
      const withinMs = toMs(within);
      return {
        edge,
        sentence: `the breaker on ${edge} opens within ${within}`,
        restsOnLoad: true,
        withinMs,
        judge(seen) {
          const { count, firstRefusalMs } = seen.calls(edge);
          if (firstRefusalMs !== undefined) {
            const afterMs = firstRefusalMs - seen.window.fromMs;
            return verdict(afterMs <= withinMs, `first refusal after ${seconds(afterMs)}`);
          }
          return count === 0 ? unknown('no call was made on this edge') : (unseen(seen, edge) ?? missed(`no refusal in ${count} calls`));
        },
      };
    },
    closes({ within }: Within): Expectation {
      const withinMs = toMs(within);
      return {
        edge,
        sentence: `the breaker on ${edge} closes within ${within}`,
        restsOnLoad: true,
        withinMs,
        judge(seen) {
          const { refused, lastRefusalMs, sentSinceLastRefusal, count } = seen.calls(edge);
          const everRefused = seen.calls(edge, { fromMs: 0, untilMs: seen.window.untilMs }).refused > 0;
          if (!everRefused) return unknown('it never opened, so it could not close');
          if (count === 0) return unknown('no call was made on this edge');
          if (lastRefusalMs === undefined) return fewCalls(count) ?? unseen(seen, edge) ?? met(`no refusal in ${count} calls`);
          const afterMs = lastRefusalMs - seen.window.fromMs;
          if (afterMs > withinMs) return missed(`still refusing after ${seconds(afterMs)} (${refused} refusals)`);
          const observed = `last refusal after ${seconds(afterMs)}, ${sentSinceLastRefusal} calls sent since`;
          return sentSinceLastRefusal < callsThatTell ? unknown(`${observed}: too few to tell`) : met(observed);
        },
      };
    },
    stays(_state: 'closed'): Expectation {
      return {
        edge,
        sentence: `the breaker on ${edge} stays closed`,
        restsOnLoad: true,
        judge(seen) {
          const { count, refused } = seen.calls(edge);
          if (refused > 0) return missed(`${refused} refusals in ${count} calls`);
          return fewCalls(count) ?? unseen(seen, edge) ?? met(`no refusal in ${count} calls`);
        },
      };
    },
  };
}

/** Fewer calls than this say nothing about those that were not made. */
const callsThatTell = 5;
const fewCalls = (count: number) => (count < callsThatTell ? unknown(`${count} calls were made on this edge: too few to tell`) : undefined);

/** Spans show no refusal: unknown where the callers' own counters do, or where their spans were lost. */
function unseen(seen: Observations, edge: Edge): Verdict | undefined {
  const counted = seen.countedRefusals(edge);
  if (counted !== undefined && counted >= 1) return unknown(`spans show no refusal, the breaker itself counted ${Math.round(counted)}`);
  const lost = seen.lostSpans().filter(({ instance }) => instance.startsWith(`${endsOf(edge).caller}.`));
  return counted === undefined && lost.length > 0
    ? unknown(`no refusal was seen, but spans were lost on the way from ${named(lost)}`)
    : undefined;
}
