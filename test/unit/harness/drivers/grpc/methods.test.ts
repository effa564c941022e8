import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../../../core/errors.ts';
import { loadMethods } from '../../../../../harness/drivers/grpc/methods.ts';

const proto = fileURLToPath(new URL('../../../../support/servers/shop.proto', import.meta.url));
const methodOf = loadMethods({ proto });
// It answers with the type that it takes.
const amend = methodOf('shop.Orders/Amend');

describe('methods', () => {
  test('are found with and without a leading slash', () => {
    expect(methodOf('/shop.Orders/Amend')).toBe(amend);
    expect(amend.path).toBe('/shop.Orders/Amend');
  });

  test('that are not there are told beside those that are', () => {
    expect(() => methodOf('shop.Orders/Plac')).toThrow(
      new UsageError(`Expected a method of ${proto} (shop.Orders/Place, shop.Orders/Amend, shop.Orders/Watch), got 'shop.Orders/Plac'`),
    );
    expect(() => methodOf('')).toThrow(UsageError);
  });

  test('that stream are refused', () => {
    expect(() => methodOf('shop.Orders/Watch')).toThrow(
      new TypeError('Expected a method with one request and one answer, but shop.Orders/Watch streams'),
    );
  });

  test('may be in several files, which import from other folders', () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'stampede-'));
    const other = join(folder.path, 'other.proto');
    writeFileSync(
      other,
      'syntax = "proto3"; import "shop.proto"; service Other { rpc Do(Task) returns (Task); } message Task { repeated shop.PlaceRequest.Item items = 1; }',
    );
    const both = loadMethods({ proto: [proto, other] });
    expect(both('shop.Orders/Place').path).toBe('/shop.Orders/Place');
    const perform = both('Other/Do');
    expect(perform.decode(perform.encode({ items: [{ sku: 'a' }] }))).toEqual({ items: [{ sku: 'a', quantity: 0 }] });
    expect(() => perform.encode({ items: [{ id: 1 }] })).toThrow(
      "Expected 'items[0]' of Task to have only the fields sku, quantity, got 'id'",
    );
  });

  test.each([
    ['no-such.proto', /^Expected no-such\.proto to be readable as \.proto, but: .*ENOENT/],
    [fileURLToPath(import.meta.url), /^Expected .*methods\.test\.ts to be readable as \.proto, but: illegal/],
  ])('cannot be had from %s', (file, told) => {
    expect(() => loadMethods({ proto: file })).toThrow(told);
    expect(() => loadMethods({ proto: file })).toThrow(UsageError);
  });
});

describe('a message', () => {
  test('that fits comes back as it was, with defaults', () => {
    expect(amend.decode(amend.encode({}))).toEqual({
      ...{ id: 0, items: [], gifts: {}, points: {}, urgency: 'NORMAL', signature: Buffer.alloc(0), weight: 0, due: null, instead_of: null },
      ...{ wait_ms: 0, status: 0, details: '', sends_headers_first: false },
    });
  });

  test.each<[what: string, message: object, back: object]>([
    ['absent fields', { id: undefined, items: null, urgency: null, due: undefined }, { id: 0, items: [], urgency: 'NORMAL', due: null }],
    ['enums as numbers', { urgency: 1 }, { urgency: 'EXPRESS' }],
    ['bytes in base64', { signature: 'AAEC' }, { signature: Buffer.from([0, 1, 2]) }],
    ['numbers that are none', { weight: Number.NaN }, { weight: Number.NaN }],
    ['the largest of 64 bits', { id: '9223372036854775807' }, { id: '9223372036854775807' }],
    ['digits of a small number', { id: '-5' }, { id: -5 }],
    ['what is the last safe integer', { id: Number.MAX_SAFE_INTEGER }, { id: Number.MAX_SAFE_INTEGER }],
    ['and the first that is not', { id: '9007199254740992' }, { id: '9007199254740992' }],
    [
      'maps',
      { points: { 4294967295: '18446744073709551615' }, gifts: { a: { quantity: 1 } } },
      { points: { 4294967295: '18446744073709551615' }, gifts: { a: { sku: '', quantity: 1 } } },
    ],
    ['types of other files', { due: { seconds: 5 } }, { due: { seconds: 5, nanos: 0 } }],
    ['itself within', { instead_of: { instead_of: { id: 7 } } }, { instead_of: { instead_of: { id: 7 } } }],
  ])('may have %s', (_what, message, back) => {
    expect(amend.decode(amend.encode(message))).toMatchObject(back);
  });

  test.each<[message: unknown, told: string]>([
    [
      { item: [] },
      "shop.PlaceRequest to have only the fields id, items, gifts, urgency, signature, is_gift, weight, due, points, instead_of, wait_ms, status, details, sends_headers_first, got 'item'",
    ],
    [
      { isGift: true },
      "shop.PlaceRequest to have only the fields id, items, gifts, urgency, signature, is_gift, weight, due, points, instead_of, wait_ms, status, details, sends_headers_first, got 'isGift'",
    ],
    [{ items: [{}, { name: 'a' }] }, "'items[1]' of shop.PlaceRequest to have only the fields sku, quantity, got 'name'"],
    [{ items: [{ sku: 5 }] }, "'items[0].sku' of shop.PlaceRequest to be a string, got 5"],
    [{ items: { sku: 'a' } }, "'items' of shop.PlaceRequest to be an array, got an object"],
    [{ items: [null] }, "'items[0]' of shop.PlaceRequest to be an object, got null"],
    [{ gifts: [] }, "'gifts' of shop.PlaceRequest to be an object, got an array"],
    [
      { gifts: { a: { quantity: 'three' } } },
      "'gifts['a'].quantity' of shop.PlaceRequest to be a whole number from -2147483648 to 2147483647, got 'three'",
    ],
    [{ points: { one: 1 } }, "'points['one']' of shop.PlaceRequest to be under a whole number, got 'one'"],
    [{ status: -1 }, "'status' of shop.PlaceRequest to be a whole number from 0 to 4294967295, got -1"],
    [{ wait_ms: 1.5 }, "'wait_ms' of shop.PlaceRequest to be a whole number from -2147483648 to 2147483647, got 1.5"],
    [{ urgency: 'SOON' }, "'urgency' of shop.PlaceRequest to be one of NORMAL, EXPRESS, got 'SOON'"],
    [{ is_gift: 'yes' }, "'is_gift' of shop.PlaceRequest to be true or false, got 'yes'"],
    [{ weight: '1' }, "'weight' of shop.PlaceRequest to be a number, got '1'"],
    [{ signature: 'ä' }, "'signature' of shop.PlaceRequest to be a Buffer or base64, got 'ä'"],
    [{ due: { second: 1 } }, "'due' of shop.PlaceRequest to have only the fields seconds, nanos, got 'second'"],
    [
      { instead_of: { instead_of: { id: true } } },
      "'instead_of.instead_of.id' of shop.PlaceRequest to be a whole number of 64 bits, as a string of digits beyond ±(2⁵³ - 1), got true",
    ],
    [
      { id: 2 ** 53 },
      "'id' of shop.PlaceRequest to be a whole number of 64 bits, as a string of digits beyond ±(2⁵³ - 1), got 9007199254740992",
    ],
    [
      { id: '9223372036854775808' },
      "'id' of shop.PlaceRequest to be a whole number of 64 bits, as a string of digits beyond ±(2⁵³ - 1), got '9223372036854775808'",
    ],
    [
      { points: { 1: -1 } },
      "'points['1']' of shop.PlaceRequest to be a whole number of 64 bits and at least 0, as a string of digits beyond ±(2⁵³ - 1), got -1",
    ],
    [[], 'shop.PlaceRequest to be an object, got an array'],
    ['text', "shop.PlaceRequest to be an object, got 'text'"],
  ])('like %j is refused', (message, told) => {
    expect(() => amend.encode(message as object)).toThrow(new UsageError(`Expected ${told}`));
  });

  test('that was answered can be sent', () => {
    fc.assert(
      fc.property(anyRequest, (request) => {
        const answer = amend.decode(amend.encode(request));
        expect(answer).toMatchObject(request);
        expect(amend.decode(amend.encode(answer as object))).toEqual(answer);
      }),
    );
  });
});

const anyItem = fc.record({ sku: fc.string({ unit: 'grapheme' }), quantity: fc.integer() }, { requiredKeys: [] });
const anyRequest = fc.record(
  {
    id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((id) => (Number.isSafeInteger(Number(id)) ? Number(id) : String(id))),
    items: fc.array(anyItem),
    gifts: fc.dictionary(fc.string({ minLength: 1 }), anyItem),
    urgency: fc.constantFrom('NORMAL', 'EXPRESS'),
    signature: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    is_gift: fc.boolean(),
    weight: fc.double().map((weight) => weight + 0),
    points: fc.dictionary(fc.nat().map(String), fc.maxSafeNat()),
    due: fc.record({ seconds: fc.maxSafeInteger(), nanos: fc.nat() }),
  },
  { requiredKeys: [] },
);
