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

/** What several threads kept as one would have: the slowest of all, and of the others some of each. */
export function keptTogether(threads: readonly (readonly Kept[])[]): Kept[] {
  const groups = new Map<string, { why: Chosen['why']; kept: Kept[][] }>();
  for (const [thread, kept] of threads.entries()) {
    for (const each of kept) {
      const key = [each.phase, each.request.step, each.why].join();
      const group = groups.get(key) ?? { why: each.why, kept: threads.map(() => []) };
      groups.set(key, group);
      group.kept[thread]?.push(each);
    }
  }
  return [...groups.values()].flatMap(({ why, kept }) => {
    const all = why === 'slowest' ? kept.flat().sort((one, other) => durationOf(other.request) - durationOf(one.request)) : byTurns(kept);
    return all.slice(0, most[why]);
  });
}

/** The first of each, then the second of each, and so on. */
function byTurns(lists: readonly (readonly Kept[])[]): Kept[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, turn) => lists.flatMap((list) => list[turn] ?? [])).flat();
}

const most = { slowest: 5, failed: 5, typical: 3 };

type Showcase = { offer: (request: Settled) => void; chosen: () => Chosen[] };
type Chosen = { request: Settled; why: Exemplar['why'] };

function createShowcase(random: Random): Showcase {
  const slowest: Settled[] = [];
  const failed = createReservoir(most.failed, random);
  const typical = createReservoir(most.typical, random);

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
  const last = slowest[most.slowest - 1];
  if (last !== undefined && durationOf(request) <= durationOf(last)) return;
  const place = slowest.findIndex((one) => durationOf(one) < durationOf(request));
  slowest.splice(place === -1 ? slowest.length : place, 0, request);
  if (slowest.length > most.slowest) slowest.pop();
}

const durationOf = ({ intendedMs, endedMs }: Settled) => endedMs - intendedMs;

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
