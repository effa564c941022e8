import { expect, test } from 'vitest';
import { resetPeer } from '../../../../../chaos/embedded/toxics/reset-peer.ts';
import { actOf } from './stand-in.ts';

test('leaves an idle stream alone and ends it after the first chunk', () => {
  const { read, advance, passed } = actOf(resetPeer, { timeout: 50 });
  advance(1000);
  read(1);
  read(1);
  advance(1000);
  expect(passed).toEqual(['1050: end']);
});

test('an end is answered like a chunk', () => {
  const { act, advance, passed } = actOf(resetPeer, { timeout: 50 });
  act.takeEnd?.();
  advance(50);
  expect(passed).toEqual(['50: end']);
});

test('removed in time it gives the chunk back; changed, it waits again', () => {
  const removed = actOf(resetPeer, { timeout: 50 });
  removed.read(3);
  expect(removed.act.interrupt?.('removal')?.bytes).toHaveLength(3);
  const changed = actOf(resetPeer, { timeout: 50 });
  changed.read(3);
  expect(changed.act.interrupt?.('restart')).toBeUndefined();
  expect(changed.queue).toHaveLength(1);
});
