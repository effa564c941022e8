import { calleeOf, isProcessFault, sentenceOf } from '../chaos/faults.ts';
import { endsOf } from '../system/topology.ts';
import type { Expectation } from './expect/expectation.ts';
import type { PlayedFault } from './fault-log.ts';

/**
 * Why an expectation cannot be judged: a fault that it rests on was not felt somewhere, as far as could be seen from outside. One that speaks of
 * an edge rests on the faults of that edge and of its callee, or on all where there are none; any other rests on all faults of its phase.
 */
export function doubtAbout(expectation: Expectation, faults: readonly PlayedFault[]): string | undefined {
  for (const played of faultsUnder(expectation, faults)) {
    const unfelt = played.effects.filter(({ place, felt }) => felt === undefined && !isHidden(place, played, faults));
    const [first] = unfelt;
    if (first === undefined) continue;
    const places = unfelt.length === played.effects.length ? '' : ` at ${unfelt.map(({ place }) => place).join(' and ')}`;
    return `'${sentenceOf(played.fault)}' was not felt${places}${first.doubt === undefined ? '' : ` (${first.doubt})`}`;
  }
  return undefined;
}

function faultsUnder({ edge }: Expectation, faults: readonly PlayedFault[]): readonly PlayedFault[] {
  if (edge === undefined) return faults;
  const near = faults.filter(({ fault }) => (isProcessFault(fault) ? calleeOf(fault) === endsOf(edge).callee : fault.edge === edge));
  return near.length === 0 ? faults : near;
}

/** Another fault at the same place, or at the process behind it, that was felt meanwhile may have kept this one from showing. */
function isHidden(place: string, { fromMs, untilMs, fault }: PlayedFault, faults: readonly PlayedFault[]): boolean {
  return faults.some(
    (other) =>
      other.fault !== fault &&
      other.fromMs < untilMs &&
      other.untilMs > fromMs &&
      other.effects.some((effect) => effect.felt !== undefined && (effect.place === place || place.endsWith(`->${effect.place}`))),
  );
}
