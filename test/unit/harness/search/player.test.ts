import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPlayer } from '../../../../harness/search/player.ts';
import type { Testbed } from '../../../../harness/testbed.ts';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

test('a trial begins at a second of the first one, and ends when its last visitor has left', async () => {
  const { player, gone } = searched();
  const stage = { lastsMs: 300, fromPerSecond: 5, toPerSecond: 5 };
  const first = player.play({ name: 'first', stage });
  await vi.advanceTimersByTimeAsync(1_300);
  gone.resolve();
  expect(await first).toBe(0);
  expect(await player.play({ name: 'second', stage })).toBe(2_000);
  expect(player.brokenOff()).toBeUndefined();
});

test('visitors who never leave are broken off, and it is said why nothing can be played any more', async () => {
  const { player, halted } = searched();
  const playing = player.play({ name: 'endless', stage: { lastsMs: 300, fromPerSecond: 5, toPerSecond: 5 } });
  await vi.advanceTimersByTimeAsync(599_999);
  expect([player.brokenOff(), halted()]).toEqual([undefined, 0]);
  await vi.advanceTimersByTimeAsync(1);
  await playing;
  expect([player.brokenOff(), halted()]).toEqual(['some visitors had not left 10 minutes after the last arrival', 1]);
});

/** Its visitors leave when a test says so, or when they are told to. */
function searched() {
  const gone = Promise.withResolvers<void>();
  let halted = 0;
  const driver: Testbed['driver'] = {
    pid: 0,
    play: async () => undefined,
    halt: async () => {
      halted += 1;
      gone.resolve();
    },
    drained: () => gone.promise,
    onSecond: () => undefined,
    finish: () => Promise.reject(new Error('Nobody asks')),
    close: async () => undefined,
  };
  const unused = {} as Pick<Testbed, 'spans' | 'scraper'>;
  const player = createPlayer({
    testbed: { ...unused, driver, epochMs: 0, replicas: [], deaths: () => [] },
    nowMs: Date.now,
    signal: new AbortController().signal,
    watch: { note: () => undefined, moment: () => undefined },
  });
  return { player, gone, halted: () => halted };
}
