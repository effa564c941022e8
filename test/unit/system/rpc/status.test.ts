import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { MallError, refused } from '../../../../system/errors.ts';
import { fromStatus, httpFailures, isUnanswered, rpcFailures, statusFailures, toStatus } from '../../../../system/rpc/status.ts';

/** What a client's callback gets for what a server sent. */
const received = (thrown: unknown) => fromStatus(Object.assign(new Error('any'), toStatus(thrown)) as ServiceError);

test.each([
  new MallError('outOfStock', 'sku-1 is gone'),
  new MallError('badParameter', 'There is no such product', { notFound: true }),
  new MallError('database'),
  refused('breaker'),
  refused('shedding'),
  refused('limit'),
  refused('deadline', 'Too slow'),
])('a caller sees the very failure that the callee threw: $message', (thrown) => {
  const { code, httpStatus, grpcStatus, refusedBy, message } = thrown;
  expect(received(thrown)).toMatchObject({ code, httpStatus, grpcStatus, refusedBy, message });
});

test('a mistake of the callee tells its caller nothing about it', () => {
  expect(received(new TypeError("Cannot read 'secret'"))).toMatchObject({
    code: 1001,
    httpStatus: 500,
    message: 'The mall made a mistake',
  });
});

test.each([
  [status.DEADLINE_EXCEEDED, { code: 1007, httpStatus: 504, refusedBy: 'deadline' }],
  [status.UNAVAILABLE, { code: 1007, httpStatus: 503, refusedBy: undefined }],
  [status.CANCELLED, { code: 1008, httpStatus: 499, refusedBy: undefined }],
  [status.UNIMPLEMENTED, { code: 1007, httpStatus: 501, refusedBy: undefined }],
])('gRPC status %i that no service of ours sent keeps its meaning', (code, expected) => {
  const error = Object.assign(new Error('any'), { code, details: 'from the transport', metadata: new Metadata() });
  expect(fromStatus(error)).toMatchObject({ ...expected, grpcStatus: code });
});

const charged = {
  'a business failure': new MallError('outOfStock'),
  'a business failure with a status that counts': new MallError('paymentTimeout', undefined, { refusedBy: 'deadline' }),
  'no time left': refused('deadline'),
  'a refusal by a shedder': refused('shedding'),
  'a refusal by a breaker': refused('breaker'),
  'a refusal by a limit': refused('limit'),
  'a broken store': new MallError('database'),
  'a mistake': new TypeError('x is not a function'),
  'a caller who went away': new MallError('cancelled'),
};

// Each row: what was thrown; whether it counts by status and by cause, first for an RPC, then for a route that throws it itself and
// for a route that heard it from a service.
test.each<[keyof typeof charged, rpc: [boolean, boolean], own: [boolean, boolean], relayed: [boolean, boolean]]>([
  ['a business failure', [false, false], [false, false], [false, false]],
  ['a business failure with a status that counts', [true, false], [true, false], [true, false]],
  ['no time left', [true, true], [true, true], [true, true]],
  ['a refusal by a shedder', [true, true], [true, false], [false, false]],
  ['a refusal by a breaker', [true, true], [false, false], [true, false]],
  ['a refusal by a limit', [true, true], [false, false], [false, false]],
  ['a broken store', [true, true], [true, true], [true, true]],
  ['a mistake', [true, true], [true, true], [true, true]],
  ['a caller who went away', [false, false], [false, false], [false, false]],
])('%s counts by status and by cause: %j for an RPC, %j for a route, %j when it was relayed', (name, rpc, own, relayed) => {
  const thrown = charged[name];
  const judges = ['status', 'cause'] as const;
  expect(judges.map((by) => rpcFailures(by)(thrown))).toEqual(rpc);
  expect(judges.map((by) => httpFailures(by)(thrown))).toEqual(own);
  expect(judges.map((by) => httpFailures(by)(received(thrown)))).toEqual(relayed);
  // Balancing judges what came over the wire as a breaker judges what was thrown.
  const { code, metadata } = toStatus(thrown);
  expect(judges.map((by) => statusFailures(by)(code, metadata as Metadata))).toEqual(rpc);
});

test.each(['status', 'cause'] as const)('by %s, what gRPC itself found out counts, and no answer does not', (judges) => {
  const codes = [status.UNAVAILABLE, status.NOT_FOUND, status.OK, status.UNKNOWN, status.CANCELLED];
  expect(codes.map((code) => statusFailures(judges)(code, new Metadata()))).toEqual([true, false, false, false, false]);
});

test('only silence is worth a repetition: what a callee said is an answer, and what was refused here was not asked', () => {
  const silence = Object.assign(new Error('any'), { code: status.UNAVAILABLE, details: 'No connection', metadata: new Metadata() });
  expect(isUnanswered(fromStatus(silence))).toBe(true);
  expect(isUnanswered(refused('breaker'))).toBe(false);
  expect(Object.values(charged).map((thrown) => isUnanswered(received(thrown)))).not.toContain(true);
  expect(isUnanswered(received(new MallError('rpc')))).toBe(false);
});
