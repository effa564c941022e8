/** What the truth server does to those who ask. */
export type Behaviour = {
  /** `inTurn` is a server with one hand: a request takes `serviceMs`, and waits until all that came before it are done. */
  serves: { kind: 'atOnce' } | { kind: 'after'; delayMs: number } | { kind: 'inTurn'; serviceMs: number };
  /** Request number `every`, 2 × `every` … gets no answer: its connection is reset or closed when the answer was due, or nothing ever happens. */
  spoils?: { every: number; by: Spoiling };
};
export type Spoiling = 'reset' | 'fin' | 'hang';

/** When a request is due that arrived at `arrivedUs`, in µs. Requests are told in the order of their arrival, and are due in that order. */
export function createTurns({ serves }: Behaviour): (arrivedUs: number) => number {
  switch (serves.kind) {
    case 'atOnce':
      return (arrivedUs) => arrivedUs;
    case 'after':
      return (arrivedUs) => arrivedUs + serves.delayMs * 1_000;
    case 'inTurn': {
      let freeUs = Number.NEGATIVE_INFINITY;
      return (arrivedUs) => {
        freeUs = Math.max(freeUs, arrivedUs) + serves.serviceMs * 1_000;
        return freeUs;
      };
    }
    default:
      return serves satisfies never;
  }
}

/** How request number `number`, counted from 1, is spoilt; undefined when it is answered. */
export function spoilingOf({ spoils }: Behaviour, number: number): Spoiling | undefined {
  return spoils !== undefined && number % spoils.every === 0 ? spoils.by : undefined;
}
