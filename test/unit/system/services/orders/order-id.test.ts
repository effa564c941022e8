import { expect, test } from 'vitest';
import { orderId } from '../../../../../system/services/orders/order-id.ts';

test('is the ULID of its time and entropy', () => {
  // The example of https://github.com/ulid/spec: 01ARZ3NDEK TSV4RRFFQ69G5FAV.
  const entropy = Uint8Array.from([0xd6, 0x76, 0x4c, 0x61, 0xef, 0xb9, 0x93, 0x02, 0xbd, 0x5b]);
  expect(orderId({ nowMs: 1_469_922_850_259, entropy })).toBe('01ARZ3NDEKTSV4RRFFQ69G5FAV');
});

test('ids sort by time, whatever their entropy', () => {
  const earlier = orderId({ nowMs: 1_700_000_000_000, entropy: new Uint8Array(10).fill(255) });
  const later = orderId({ nowMs: 1_700_000_000_001.7, entropy: new Uint8Array(10) });
  expect(earlier < later).toBe(true);
  expect([earlier.length, later.length]).toEqual([26, 26]);
});

test('does not make an id of too little entropy', () => {
  expect(() => orderId({ nowMs: 0, entropy: new Uint8Array(9) })).toThrow('Expected 10 bytes of entropy, got 9');
});
