import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { codes, failureOf, grpcStatusOf, httpStatusOf, MallError, refused } from '../../../system/errors.ts';

test.each([
  ['serverError', 1001, 500, status.INTERNAL],
  ['badParameter', 1002, 400, status.INVALID_ARGUMENT],
  ['tokenExpired', 1003, 401, status.UNAUTHENTICATED],
  ['tokenFailed', 1004, 401, status.UNAUTHENTICATED],
  ['database', 1005, 500, status.INTERNAL],
  ['cache', 1006, 500, status.INTERNAL],
  ['rpc', 1007, 503, status.UNAVAILABLE],
  ['cancelled', 1008, 499, status.CANCELLED],
  ['bodyTooLarge', 1009, 413, status.INVALID_ARGUMENT],
  ['userMissing', 2001, 404, status.NOT_FOUND],
  ['userExists', 2002, 409, status.ALREADY_EXISTS],
  ['password', 2003, 401, status.UNAUTHENTICATED],
  ['mobileFormat', 2004, 400, status.INVALID_ARGUMENT],
  ['verifyCode', 2005, 400, status.INVALID_ARGUMENT],
  ['orderMissing', 3001, 404, status.NOT_FOUND],
  ['orderStatus', 3002, 409, status.FAILED_PRECONDITION],
  ['orderCreateFailed', 3003, 503, status.UNAVAILABLE],
  ['outOfStock', 3004, 409, status.FAILED_PRECONDITION],
  ['paymentFailed', 4001, 409, status.FAILED_PRECONDITION],
  ['paymentTimeout', 4002, 504, status.DEADLINE_EXCEEDED],
  ['insufficientBalance', 4003, 409, status.FAILED_PRECONDITION],
] as const)('%s has the code %i, is %i over HTTP and %i over gRPC', (name, code, http, grpc) => {
  expect(codes[name]).toBe(code);
  expect(failureOf(code)).toBe(name);
  expect(new MallError(name)).toMatchObject({ code, httpStatus: http, grpcStatus: grpc, refusedBy: undefined });
});

test.each([
  ['breaker', 1007, 503, status.UNAVAILABLE],
  ['shedding', 1001, 503, status.RESOURCE_EXHAUSTED],
  ['limit', 1001, 429, status.RESOURCE_EXHAUSTED],
  ['connections', 1001, 503, status.RESOURCE_EXHAUSTED],
  ['deadline', 1007, 504, status.DEADLINE_EXCEEDED],
] as const)('a refusal by %s has the code %i, is %i over HTTP and %i over gRPC', (by, code, http, grpc) => {
  expect(refused(by)).toMatchObject({ refusedBy: by, code, httpStatus: http, grpcStatus: grpc });
});

test('a parameter that names nothing keeps its code and is 404', () => {
  expect(new MallError('badParameter', 'There is no such product', { notFound: true })).toMatchObject({
    code: 1002,
    httpStatus: 404,
    grpcStatus: status.NOT_FOUND,
    message: 'There is no such product',
  });
});

test('a status that came over the wire decides what the failure is over HTTP', () => {
  expect(new MallError('rpc', undefined, { grpcStatus: status.UNIMPLEMENTED })).toMatchObject({ httpStatus: 501 });
});

test('what is not a failure of ours is a mistake of ours', () => {
  expect([httpStatusOf(new TypeError('x')), grpcStatusOf('x')]).toEqual([500, status.INTERNAL]);
});
