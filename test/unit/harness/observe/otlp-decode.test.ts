import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSpanDecoder } from '../../../../harness/observe/otlp-decode.ts';
import { attribute, block, double, fixed32, fixed64, hex, number, request, resource, text } from './otlp-bytes.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const epochMs = 1_763_700_000_000;
const epochNs = BigInt(epochMs) * 1_000_000n;
const ids = [hex(1, traceId), hex(2, spanId)];
const decode = createSpanDecoder({ epochMs });

test('reads every field that the harness knows', () => {
  const span = Buffer.concat([
    ...ids,
    text(3, 'vendor=1'),
    hex(4, '00f067aa0ba902b7'),
    text(5, 'orders.Orders/Create'),
    number(6, 3n),
    fixed64(7, epochNs + 1_234_567n),
    fixed64(8, epochNs + 5_000_001_000n),
    attribute(9, 'mall.edge', text(1, 'orders->payment')),
    attribute(9, 'rpc.status_code', number(3, 14n)),
    attribute(9, 'below zero', number(3, -7n)),
    attribute(9, 'share', double(4, 0.25)),
    attribute(9, 'retried', number(2, 1n)),
    attribute(9, 'list', block(5, block(1, text(1, 'left out')))),
    block(11, fixed64(1, epochNs + 2_000_000n), text(2, 'breaker.open'), attribute(3, 'k', text(1, 'v'))),
    block(13, hex(1, traceId), hex(2, spanId)),
    block(15, text(2, 'unavailable'), number(3, 2n)),
    fixed32(16, 0x301),
  ]);
  expect(decode(request(span))).toEqual([
    {
      traceId,
      spanId,
      parentId: '00f067aa0ba902b7',
      service: 'orders',
      instance: 'orders.1',
      name: 'orders.Orders/Create',
      kind: 'client',
      startMs: 1.234567,
      endMs: 5_000.001,
      failed: true,
      attributes: { 'mall.edge': 'orders->payment', 'rpc.status_code': 14, 'below zero': -7, share: 0.25, retried: true },
      events: [{ name: 'breaker.open', atMs: 2 }],
      flags: 0x301,
    },
  ]);
});

test('a span may say as little as its ids', () => {
  const [span] = decode(request(Buffer.concat(ids)));
  expect(span).toMatchObject({ traceId, spanId, parentId: null, name: '', kind: 'internal', failed: false, attributes: {}, events: [] });
});

test('times before the start of the run are negative, and exact to the microsecond', () => {
  const [span] = decode(request(Buffer.concat([...ids, fixed64(7, epochNs - 60_000_000_000n - 1_000n), fixed64(8, epochNs - 1_000n)])));
  expect(span).toMatchObject({ startMs: -60_000.001, endMs: -0.001 });
});

test.each([
  [1n, 'internal'],
  [2n, 'server'],
  [3n, 'client'],
  [4n, 'internal'],
])('kind %s is %s', (code, kind) => {
  expect(decode(request(Buffer.concat([...ids, number(6, code)])))[0]?.kind).toBe(kind);
});

test('the resource may come after its spans', () => {
  const spans = block(2, block(2, Buffer.concat(ids)));
  expect(decode(block(1, spans, resource('user', 'user.2')))[0]).toMatchObject({ service: 'user', instance: 'user.2' });
});

test('a process that names no instance goes by its service', () => {
  const named = block(1, attribute(1, 'service.name', text(1, 'user')));
  expect(decode(block(1, named, block(2, block(2, Buffer.concat(ids)))))[0]).toMatchObject({ service: 'user', instance: 'user' });
});

test('an empty request holds no spans', () => {
  expect(decode(Buffer.alloc(0))).toEqual([]);
});

test('texts come out as they went in, whatever was read before', () => {
  // Two texts whose bytes and characters look alike must not be taken for each other by the memory of short texts.
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('é', 'Ã©', 'orders->payment')), { maxLength: 20 }),
      (names) => {
        const clean = names.map((name) => name.toWellFormed());
        const spans = decode(request(...clean.map((name) => Buffer.concat([...ids, text(5, name)]))));
        expect(spans.map(({ name }) => name)).toEqual(clean);
      },
    ),
  );
});

test('whole numbers are exact as far as a number can hold them', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const [span] = decode(request(Buffer.concat([...ids, attribute(9, 'n', number(3, BigInt(value)))])));
      expect(span?.attributes.n).toBe(value === 0 ? 0 : value);
    }),
  );
});

test.each<[string, Buffer, RegExp]>([
  ['a cut message', request(Buffer.concat(ids)).subarray(0, -5), /a block of \d+ bytes where/],
  ['a short trace id', request(Buffer.concat([hex(1, 'abcd'), hex(2, spanId)])), /an id of 2 bytes where 16 were expected/],
  ['a span without ids', request(text(5, 'GET')), /a span without its id/],
  ['a wire type that does not exist', Buffer.from([0x0f]), /the wire type 7/],
  ['field 0', Buffer.from([0x02, 0x00]), /the field number 0/],
  ['a number without end', Buffer.alloc(12, 0xff), /more than ten bytes/],
  ['a field that leaves its block', block(1, block(2, block(2, Buffer.from([0x39, 1, 2])))), /the end of the message inside a field/],
  ['text', Buffer.from('POST / HTTP/1.1'), /Expected an OTLP trace export/],
])('%s is an error that says where', (_, bytes, message) => {
  expect(() => decode(bytes)).toThrow(TypeError);
  expect(() => decode(bytes)).toThrow(message);
  expect(() => decode(bytes)).toThrow(/at byte \d+$/);
});

test('no bytes whatsoever do more than throw a TypeError, and the next batch is read as if nothing had been', () => {
  const whole = request(Buffer.concat([...ids, text(5, 'GET'), attribute(9, 'a', number(3, 1n)), block(15, number(3, 2n))]));
  const damaged = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })).map(([at, byte]) => {
    const bytes = Buffer.from(whole);
    bytes[at] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), damaged), (bytes) => {
      try {
        decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
      }
      expect(decode(whole)).toHaveLength(1);
    }),
    { numRuns: 1_000 },
  );
});
