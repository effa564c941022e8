import { toMs } from '../../core/units.ts';
import { type Edge, endsOf } from '../../system/topology.ts';
import type { Impact } from '../observe/observations.ts';
import type { Expectation, Within } from './expectation.ts';
import { checkEdge } from './names.ts';
import { met, missed, percent, seconds, unknown } from './verdicts.ts';

/**
 * How an edge comes back from the last fault that was on it or on its callee's processes; where there were none, from the last one elsewhere
 * that hurt it. It is back when its calls fail no more, and take no longer, than before the first fault. The time counts from the fault's end:
 * `recovery('orders->payment').happens({ within: '10s' })`
 */
export function recovery(edge: Edge) {
  checkEdge(edge);
  const { callee } = endsOf(edge);
  return {
    happens({ within }: Within): Expectation {
      const withinMs = toMs(within);
      return {
        edge,
        sentence: `${edge} is back within ${within} of its last fault's end`,
        restsOnLoad: true,
        withinMs,
        judge(seen) {
          if (callee === 'etcd' || callee === 'otlp') return unknown(`calls to ${callee} leave no spans`);
          const ended = seen
            .impacts()
            .filter(({ untilMs }) => untilMs <= seen.window.untilMs)
            .sort((a, b) => a.untilMs - b.untilMs);
          if (ended.length === 0) return unknown('no fault has ended by then');
          const own = ended.findLast(({ subject }) => subject === edge || subject === callee);
          const last = own ?? ended.findLast(({ impacts }) => impacts.some((impact) => impact.edge === edge));
          const impact = last?.impacts.find((found) => found.edge === edge);
          if (own !== undefined && impact === undefined) return unknown(`no call was made on this edge during '${own.sentence}'`);
          if (impact === undefined) return notHurt(seen.calls(edge).count, ended.length);
          return judge(impact, withinMs);
        },
      };
    },
  };
}

function notHurt(calls: number, faults: number) {
  return calls < callsThatTell
    ? unknown(`${calls} calls were made on this edge: too few to tell`)
    : met(`none of ${faults} faults hurt it`);
}

/** Fewer calls than this say nothing about those that were not made. */
const callsThatTell = 5;

function judge(impact: Impact, withinMs: number) {
  const { recovered, calmAfterMs = 0, watchedMs, troubledShareAfter = 0, lastErrorAfterMs } = impact;
  const last = lastErrorAfterMs === undefined ? 'no error since' : `last error ${seconds(lastErrorAfterMs)} after it`;
  switch (recovered) {
    case 'yes':
      return calmAfterMs <= withinMs
        ? met(`back ${calmAfterMs === 0 ? 'at once' : `${seconds(calmAfterMs)} after it`}, ${last}`)
        : missed(`back only ${seconds(calmAfterMs)} after it`);
    case 'no':
      return missed(
        `metastable: the fault is gone for ${seconds(watchedMs)} and ${percent(troubledShareAfter)} of calls are still in trouble`,
      );
    case 'unknown':
      return unknown(`too little was seen before it, or in the ${seconds(watchedMs)} after it, to compare`);
    default:
      return recovered satisfies never;
  }
}
