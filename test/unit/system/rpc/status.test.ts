import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { MallError, refused } from '../../../../system/errors.ts';
import { fromStatus, isFailureStatus, isRpcFailure, toStatus } from '../../../../system/rpc/status.ts';

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
  [status.UNIMPLEMENTED, { code: 1007, httpStatus: 501, refusedBy: undefined }],
])('gRPC status %i that no service of ours sent keeps its meaning', (code, expected) => {
  const error = Object.assign(new Error('any'), { code, details: 'from the transport', metadata: new Metadata() });
  expect(fromStatus(error)).toMatchObject({ ...expected, grpcStatus: code });
});

test.each([
  new MallError('outOfStock'),
  new MallError('paymentTimeout', undefined, { refusedBy: 'deadline' }),
  refused('deadline'),
  refused('shedding'),
  new MallError('database'),
  new TypeError('a mistake'),
])('balancing judges what came over the wire as a breaker judges what was thrown: $message', (thrown) => {
  const { code, metadata } = toStatus(thrown);
  expect(isFailureStatus(code, metadata as Metadata)).toBe(isRpcFailure(received(thrown)));
});

test('balancing counts what gRPC itself found out, and no answer', () => {
  expect([status.UNAVAILABLE, status.NOT_FOUND, status.OK].map((code) => isFailureStatus(code, new Metadata()))).toEqual([
    true,
    false,
    false,
  ]);
});

test('a business failure does not count against the callee, whatever its status; a refusal and a broken store do', () => {
  expect(isRpcFailure(new MallError('outOfStock'))).toBe(false);
  expect(isRpcFailure(new MallError('paymentTimeout', undefined, { refusedBy: 'deadline' }))).toBe(false);
  expect(isRpcFailure(refused('deadline'))).toBe(true);
  expect(isRpcFailure(refused('shedding'))).toBe(true);
  expect(isRpcFailure(new MallError('database'))).toBe(true);
});
