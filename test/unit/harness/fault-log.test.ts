import { expect, test } from 'vitest';
import { cut, restart, slow } from '../../../chaos/faults.ts';
import type { FaultChange } from '../../../chaos/schedule.ts';
import { createFaultLog } from '../../../harness/fault-log.ts';

const fault = slow('orders->payment', { by: '1s' });
const places = ['orders->payment.1'];

test('a fault is on from its acknowledgement until it is undone', () => {
  const { log, note } = aLog();
  const occurrence = { fault, fromMs: 0, untilMs: 5_000 };
  note(occurrence, 'asked', 100);
  expect(log.active()).toEqual([]);
  note(occurrence, 'applied', 103);
  expect(log.active()).toEqual([fault]);
  note(occurrence, 'ended', 5_100);
  expect(log.active()).toEqual([fault]);
  expect(log.played()).toEqual([]);
  note(occurrence, 'undone', 5_102);
  expect(log.active()).toEqual([]);
  expect(log.played()).toEqual([
    {
      phase: 'rush',
      fault,
      places,
      askedMs: 100,
      fromMs: 103,
      untilMs: 5_102,
      effects: [{ place: 'orders->payment.1', doubt: 'told: ended' }],
    },
  ]);
});

test('each time that a fault comes again is an entry of its own', () => {
  const { log, note } = aLog();
  for (const fromMs of [0, 10_000]) {
    const occurrence = { fault, fromMs, untilMs: fromMs + 1_000 };
    for (const kind of ['asked', 'applied', 'ended', 'undone'] as const) note(occurrence, kind, fromMs);
  }
  expect(log.played().map(({ fromMs }) => fromMs)).toEqual([0, 10_000]);
});

test('a fault that is interrupted ends for its watch too', () => {
  const { log, note } = aLog();
  const occurrence = { fault, fromMs: 0, untilMs: 5_000 };
  for (const kind of ['asked', 'applied', 'undone'] as const) note(occurrence, kind, 0);
  expect(log.played()[0]?.effects).toEqual([{ place: 'orders->payment.1', doubt: 'told: ended' }]);
});

test('a restart shows after it was asked to end', () => {
  const { log, note } = aLog();
  const occurrence = { fault: restart('orders'), fromMs: 0, untilMs: 0 };
  for (const kind of ['asked', 'applied', 'ended'] as const) note(occurrence, kind, 0);
  expect(log.seen()).toEqual([{ place: 'orders->payment.1', doubt: 'told: ' }]);
  note(occurrence, 'undone', 2_000);
  expect(log.played()[0]?.effects).toEqual([{ place: 'orders->payment.1', doubt: 'told: ended' }]);
});

test('a fault that could not be applied was never on', () => {
  const { log, note } = aLog();
  note({ fault: cut('user->redis'), fromMs: 0, untilMs: 1 }, 'asked', 0);
  expect(log.active()).toEqual([]);
  expect(log.played()).toEqual([]);
});

test('what is known in the end is told when all watches are done', async () => {
  const { log, note, finish } = aLog();
  const occurrence = { fault, fromMs: 0, untilMs: 5_000 };
  for (const kind of ['asked', 'applied', 'ended', 'undone'] as const) note(occurrence, kind, 0);
  const settled = log.settled();
  finish('felt at last');
  expect((await settled)[0]?.effects).toEqual([{ place: 'orders->payment.1', doubt: 'felt at last' }]);
});

/** The doubt of its effects says what its watch was told. */
function aLog() {
  let finish = (_doubt: string) => {};
  let lastEffects = (): unknown => undefined;
  const log = createFaultLog({
    watch(_fault, watched) {
      const told: string[] = [];
      let doubt: string | undefined;
      const done = new Promise<void>((resolve) => {
        finish = (words) => {
          doubt = words;
          resolve();
        };
      });
      const tell = (word: string) => {
        if (!told.includes(word)) told.push(word);
      };
      const effects = () => watched.map((place) => ({ place, doubt: doubt ?? `told: ${told.join(', ')}` }));
      lastEffects = effects;
      return {
        ended: () => tell('ended'),
        effects,
        done,
      };
    },
  });
  const note = (occurrence: FaultChange['occurrence'], kind: FaultChange['kind'], atMs: number) =>
    log.note({ phase: 'rush', change: { occurrence, places, kind, atMs: 0 }, atMs });
  return { log: { ...log, seen: () => lastEffects() }, note, finish: (doubt: string) => finish(doubt) };
}
