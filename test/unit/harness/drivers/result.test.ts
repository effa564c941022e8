import { expect, test } from 'vitest';
import { answersOfRepeated, resultOf } from '../../../../harness/drivers/result.ts';
import type { Reply } from '../../../../harness/drivers/transport.ts';

const answered = (status: number, body: unknown = '', refusedBy?: string): Reply => ({
  kind: 'answered',
  endedMs: 7,
  status,
  refusedBy,
  body: body === '' ? '' : JSON.stringify(body),
});
const order = (id: string, status = 'PAID') => ({ code: 0, data: { id, status } });

test.each<[string, Reply, object]>([
  ['a paid order', answered(200, order('a')), { outcome: 'ok', order: { orderId: 'a', status: 'PAID' } }],
  ['an order for later', answered(202, order('a', 'PENDING')), { outcome: 'degraded', order: { orderId: 'a', status: 'PENDING' } }],
  ['a success without an order', answered(200, { code: 0, data: {} }), { outcome: 'failed' }],
  ['a success with an order that was given up', answered(200, order('a', 'CANCELLED')), { outcome: 'failed' }],
  ['a success that is no JSON', { ...answered(200), body: '<html>' } as Reply, { outcome: 'failed' }],
  ['sold out', answered(409, { code: 3004 }), { outcome: 'outOfStock', code: 3004 }],
  ['a refusal', answered(503, '', 'shedding'), { outcome: 'shed' }],
  ['no answer in time', { kind: 'timedOut', endedMs: 7 }, { outcome: 'timeout' }],
  ['a broken connection', { kind: 'broken', endedMs: 7, code: 'ECONNRESET', message: '' }, { outcome: 'reset' }],
])('a checkout answered with %s', (_, reply, expected) => {
  const result = resultOf(reply, 'checkout');
  expect(result).toMatchObject({ ...expected, endedMs: 7 });
  expect('order' in result).toBe('order' in expected);
});

test('a page needs no order', () => {
  expect(resultOf(answered(200), 'browse')).toEqual({ outcome: 'ok', endedMs: 7 });
});

test.each<[string, Reply, string]>([
  ['with the same order', answered(200, order('a')), 'same'],
  ['with the same order, now PENDING', answered(202, order('a', 'PENDING')), 'same'],
  ['with another order', answered(200, order('b')), 'different'],
  ['with a success that names no order', answered(200, { code: 0, data: {} }), 'different'],
  ['that the product is sold out', answered(409, { code: 3004 }), 'different'],
  ['that the order was cancelled', answered(409, { code: 3002 }), 'different'],
  ['by a shedder', answered(503, { code: 1001 }, 'shedding'), 'unknown'],
  ['that the database is away', answered(500, { code: 1005 }), 'unknown'],
  ['that a service is away', answered(503, { code: 3003 }), 'unknown'],
  ['too late', { kind: 'timedOut', endedMs: 7 }, 'unknown'],
])('a repetition that is answered %s', (_, reply, expected) => {
  const first = resultOf(answered(200, order('a')), 'checkout');
  expect(answersOfRepeated(first, resultOf(reply, 'checkout'))).toBe(expected);
});
