import { expect, test } from 'vitest';
import { type Fault, kill, slow } from '../../../chaos/faults.ts';
import { doubtAbout } from '../../../harness/doubt.ts';
import type { PlayedFault } from '../../../harness/fault-log.ts';
import { balance, breaker, errors } from '../../../harness/index.ts';
import { judge } from '../../../harness/judge.ts';
import type { Observations } from '../../../harness/observe/observations.ts';

const slowPayment = slow('orders->payment', { by: '1s' });
const slowInventory = slow('orders->inventory', { by: '1s', replica: 2 });
const opens = breaker('orders->payment').opens({ within: '5s' });
const avoids = balance('orders->inventory').avoids(2, { below: '20%' });
const few = errors('browse').below('1%');

const notFelt = played(slowPayment, ['orders->payment.1'], {});
const felt = played(slowInventory, ['orders->inventory.2'], { feltAt: ['orders->inventory.2'] });

test('what speaks of an edge rests on the faults of that edge', () => {
  expect(doubtAbout(opens, [notFelt, felt])).toBe("'orders->payment: slowed by 1s' was not felt (the callee did not answer)");
  expect(doubtAbout(avoids, [notFelt, felt])).toBeUndefined();
});

test('what speaks of a route, or of an edge that has no fault, rests on all faults', () => {
  expect(doubtAbout(few, [felt, notFelt])).toContain('orders->payment');
  expect(doubtAbout(breaker('gateway->orders').stays('closed'), [felt, notFelt])).toContain('orders->payment');
});

test('a fault of a process is one of every edge that leads to it', () => {
  expect(doubtAbout(opens, [played(kill('payment'), ['payment.1'], {}), felt])).toContain("'payment: killed' was not felt");
  expect(
    doubtAbout(opens, [
      played(kill('user'), ['user.1'], {}),
      played(slowPayment, ['orders->payment.1'], { feltAt: ['orders->payment.1'] }),
    ]),
  ).toBeUndefined();
});

test('one place out of several where it was not felt is enough, and is named', () => {
  const half = played(slowPayment, ['orders->payment.1', 'orders->payment.2'], { feltAt: ['orders->payment.1'] });
  expect(doubtAbout(few, [half])).toContain('was not felt at orders->payment.2 (');
});

test.each([
  ['hides it at the same place', ['orders->payment.1'], 500, false],
  ['hides it as the process behind the wire', ['payment.1'], 500, false],
  ['does not hide it elsewhere', ['orders->payment.2'], 500, true],
  ['does not hide it when it came later', ['orders->payment.1'], 1_000, true],
] as const)('another fault that was felt meanwhile %s', (_case, places, fromMs, isDoubtful) => {
  const other = { ...played(slow('orders->payment', { by: '2s' }), places, { feltAt: places }), fromMs, untilMs: fromMs + 1_000 };
  expect(doubtAbout(few, [notFelt, other]) !== undefined).toBe(isDoubtful);
});

test.each(['met', 'missed', 'unknown'] as const)('a verdict that is %s becomes unknown with the reason', (outcome) => {
  const expectation = { sentence: 'all is well', judge: () => ({ outcome, observed: '3 of 3' }) };
  expect(judge({ phase: 'rush', expectations: [expectation], seen: {} as Observations, faults: [notFelt] })).toEqual([
    {
      phase: 'rush',
      sentence: 'all is well',
      outcome: 'unknown',
      observed: "'orders->payment: slowed by 1s' was not felt (the callee did not answer); 3 of 3",
    },
  ]);
  expect(judge({ phase: 'rush', expectations: [expectation], seen: {} as Observations, faults: [felt] })[0]?.outcome).toBe(outcome);
});

function played(fault: Fault, places: readonly string[], { feltAt = [] }: { feltAt?: readonly string[] }): PlayedFault {
  const effects = places.map((place) =>
    feltAt.includes(place) ? { place, felt: { atMs: 10, sign: 'refused' } } : { place, doubt: 'the callee did not answer' },
  );
  return { phase: 'rush', fault, places, askedMs: 0, fromMs: 0, untilMs: 1_000, effects };
}
