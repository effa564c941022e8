import type { Random } from '../../core/random.ts';
import { answeredWell, servedOutcomes } from '../record.ts';
import type { Exemplar } from '../recording.ts';
import type { Settled } from './visits.ts';

/** A request that is worth looking at, and why. `phase` and the request's `step` are numbers. */
export type Kept = { phase: number; request: Settled; why: Exemplar['why'] };

/** Keeps the few requests of each phase and step that are worth looking at: the five slowest, five that failed, three typical ones. */
export function createExemplars({ steps, random }: { steps: number; random: Random }) {
  const showcases: (Showcase | undefined)[] = [];

  return {
    offer: (phase: number, request: Settled) => {
      const place = phase * steps + request.step;
      const showcase = showcases[place] ?? createShowcase(random);
      showcases[place] = showcase;
      showcase.offer(request);
    },
    kept: (): Kept[] =>
      showcases.flatMap((showcase, place) => showcase?.chosen().map((chosen) => ({ phase: Math.floor(place / steps), ...chosen })) ?? []),
  };
}

type Showcase = { offer: (request: Settled) => void; chosen: () => Chosen[] };
type Chosen = { request: Settled; why: Exemplar['why'] };

function createShowcase(random: Random): Showcase {
  const slowest: Settled[] = [];
  const failed = createReservoir(5, random);
  const typical = createReservoir(3, random);

  return {
    offer: (request) => {
      offerSlow(slowest, request);
      if (servedOutcomes.includes(request.outcome)) typical.offer(request);
      else if (!answeredWell.includes(request.outcome)) failed.offer(request);
    },
    chosen: () => [
      ...slowest.map((request): Chosen => ({ request, why: 'slowest' })),
      ...failed.chosen.map((request): Chosen => ({ request, why: 'failed' })),
      ...typical.chosen.map((request): Chosen => ({ request, why: 'typical' })),
    ],
  };
}

function offerSlow(slowest: Settled[], request: Settled) {
  const duration = (one: Settled) => one.endedMs - one.intendedMs;
  const last = slowest[4];
  if (last !== undefined && duration(request) <= duration(last)) return;
  const place = slowest.findIndex((one) => duration(one) < duration(request));
  slowest.splice(place === -1 ? slowest.length : place, 0, request);
  if (slowest.length > 5) slowest.pop();
}

/** A fair sample of a stream of unknown length: every item has the same chance to be among the chosen (Vitter's algorithm R). */
function createReservoir(size: number, random: Random) {
  const chosen: Settled[] = [];
  let seen = 0;
  const offer = (request: Settled) => {
    seen += 1;
    const place = seen <= size ? seen - 1 : Math.floor(random() * seen);
    if (place < size) chosen[place] = request;
  };
  return { offer, chosen };
}
