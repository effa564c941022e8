import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAckCounter } from '../../../../chaos/canary/dialects.ts';

/** Length, type and flags of frames as a server sends them: settings, acknowledged settings, pings of its own, acknowledged pings, data. */
const frames = fc.array(
  fc.oneof(
    fc.constant(frame({ type: 6, flags: 1, length: 8 })),
    fc.constant(frame({ type: 6, flags: 0, length: 8 })),
    fc.nat(60).map((length) => frame({ type: 4, flags: 0, length })),
    fc.constant(frame({ type: 4, flags: 1, length: 0 })),
    fc.nat(300).map((length) => frame({ type: 0, flags: 1, length })),
  ),
  { maxLength: 20 },
);

test('acknowledged pings are counted however the stream is cut into chunks', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(40), { maxLength: 60 }), (sent, cuts) => {
      const count = createAckCounter();
      const acks = sent.filter((bytes) => bytes[3] === 6 && bytes[4] === 1).length;
      expect(chunksOf(Buffer.concat(sent), cuts).reduce((sum, chunk) => sum + count(chunk), 0)).toBe(acks);
    }),
  );
});

test('a ping counts with its last byte, not before', () => {
  const count = createAckCounter();
  const ping = frame({ type: 6, flags: 1, length: 8 });
  expect([count(ping.subarray(0, 16)), count(ping.subarray(16))]).toEqual([0, 1]);
});

function frame({ type, flags, length }: { type: number; flags: number; length: number }): Buffer {
  const bytes = Buffer.alloc(9 + length, 7);
  bytes.writeUIntBE(length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(0, 5);
  return bytes;
}

function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let rest = bytes;
  for (const cut of cuts) {
    chunks.push(rest.subarray(0, cut));
    rest = rest.subarray(cut);
  }
  return [...chunks, rest];
}
