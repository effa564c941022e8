import { expect, test } from 'vitest';
import { answersOfRepeated, type Decided, orderIn, outcomeOfReply } from '../../../../../harness/drivers/mall/result.ts';
import type { Reply } from '../../../../../harness/drivers/transport.ts';

const stamps = { writtenMs: 1, firstByteMs: 6, endedMs: 7 };
const answered = (status: number, body: unknown = '', refusedBy?: string): Reply => ({
  kind: 'answered',
  ...stamps,
  status,
  header: (name) => (name === 'x-refused-by' ? refusedBy : undefined),
  headers: () => [],
  text: body === '' ? '' : typeof body === 'string' ? body : JSON.stringify(body),
});
const timedOut: Reply = { kind: 'timedOut', ...stamps };
const order = (id: string, status = 'PAID') => ({ code: 0, data: { id, status } });

test.each<[string, Reply, string]>([
  ['a paid order', answered(200, order('a')), 'ok'],
  ['an order for later', answered(202, order('a', 'PENDING')), 'degraded'],
  ['a success without an order', answered(200, { code: 0, data: {} }), 'failed'],
  ['a success with an order that was given up', answered(200, order('a', 'CANCELLED')), 'failed'],
  ['a success that is no JSON', answered(200, '<html>'), 'failed'],
  ['sold out', answered(409, { code: 3004 }), 'outOfStock'],
  ['a refusal', answered(503, '', 'shedding'), 'shed'],
  ['no answer in time', timedOut, 'timeout'],
  ['a broken connection', { kind: 'broken', ...stamps, code: 'ECONNRESET', message: '' }, 'reset'],
])('a checkout answered with %s', (_, reply, outcome) => {
  expect(outcomeOfReply(reply, 'checkout')).toBe(outcome);
});

test('a page needs no order', () => {
  expect(outcomeOfReply(answered(200), 'browse')).toBe('ok');
});

test('an order is remembered by its id and its status', () => {
  expect(orderIn(JSON.stringify(order('a', 'PENDING')))).toEqual({ orderId: 'a', status: 'PENDING' });
  expect(orderIn('{"data":null}')).toBeUndefined();
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
  ['too late', timedOut, 'unknown'],
])('a repetition that is answered %s', (_, reply, expected) => {
  expect(answersOfRepeated(decided(answered(200, order('a'))), decided(reply))).toBe(expected);
});

const decided = (reply: Reply): Decided => ({
  outcome: outcomeOfReply(reply, 'checkout'),
  text: reply.kind === 'answered' ? reply.text : '',
});
