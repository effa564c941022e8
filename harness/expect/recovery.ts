import { toMs } from '../../core/units.ts';
import { type Edge, endsOf } from '../../system/topology.ts';
import type { Impact } from '../observe/impact.ts';
import type { Expectation, Within } from './expectation.ts';
import { checkEdge } from './names.ts';
import { met, missed, percent, seconds, unknown } from './verdicts.ts';

/**
 * How an edge comes back from the last fault that was on it, or on its callee's processes. It is back when its calls fail no more, and take no
 * longer, than before the first fault: `recovery('orders->payment').happens({ within: '10s' })`, counted from the fault's end.
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
        withinMs,
        judge(seen) {
          const ended = seen
            .impacts()
            .filter(({ subject, untilMs }) => (subject === edge || subject === callee) && untilMs <= seen.window.untilMs);
          const last = ended.toSorted((a, b) => a.untilMs - b.untilMs).at(-1);
          if (last === undefined) return unknown('no fault on this edge has ended by then');
          const impact = last.impacts.find((found) => found.edge === edge);
          if (impact === undefined) return unknown(`no call was made on this edge during '${last.sentence}'`);
          return judge(impact, withinMs);
        },
      };
    },
  };
}

function judge(impact: Impact, withinMs: number) {
  const { recovered, calmAfterMs = 0, watchedMs, troubledShareAfter = 0, lastErrorAfterMs } = impact;
  const last = lastErrorAfterMs === undefined ? 'no error since' : `last error ${seconds(lastErrorAfterMs)} after it`;
  switch (recovered) {
    case 'yes':
      return calmAfterMs <= withinMs
        ? met(`back ${seconds(calmAfterMs)} after it, ${last}`)
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
