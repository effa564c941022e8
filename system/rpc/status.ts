import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import {
  cancelled,
  failureOf,
  grpcStatusOf,
  httpStatusOf,
  isBusinessCode,
  isConsidered,
  isRefusal,
  isTurnedAway,
  MallError,
  refused,
} from '../errors.ts';
import { isFailureCode } from '../governance/failures.ts';
import { metadataKeys } from '../telemetry/names.ts';
import type { Tuning } from '../tuning.ts';

/** What counts against a callee: its `status` alone, as in go-zero, or the `cause`: then what the callee has considered does not. */
export type Judges = Tuning['breaker']['judges'];

/** Whether a rejected RPC counts against its callee, for breakers on either side (governance.md 1.6). */
export function rpcFailures(judges: Judges): (thrown: unknown) => boolean {
  if (judges === 'status') return (thrown) => isFailureCode(grpcStatusOf(thrown));
  return (thrown) => isFailureCode(grpcStatusOf(thrown)) && !isConsidered(thrown);
}

/** The same of a status as it came over the wire, for balancing: what a breaker forgives must not cost a replica its calls. */
export function statusFailures(judges: Judges): (code: status, metadata: Metadata) => boolean {
  if (judges === 'status') return isFailureCode;
  return (code, metadata) => isFailureCode(code) && !isBusinessCode(codeIn(metadata));
}

/**
 * The same of a request, for the breaker of its route. By `status` it decides what go-zero would decide, also where our answer to the shopper has
 * another status (governance.md 6.4, 6.5): an open breaker of the gateway's own clients is 400 there, and what a service has shed is 429.
 * By `cause`, what was turned away by design, here or further in, is no failure of the route: else one open breaker would open those in
 * front of it, and a service that sheds what it cannot bear would get nothing at all.
 */
export function httpFailures(judges: Judges): (thrown: unknown) => boolean {
  const counts = judges === 'status' ? countsInGoZero : (thrown: unknown) => !isConsidered(thrown) && !isTurnedAway(thrown);
  return (thrown) => httpStatusOf(thrown) >= 500 && counts(thrown);
}

function countsInGoZero(thrown: unknown): boolean {
  if (!(thrown instanceof MallError)) return true;
  return thrown.isRelayed ? thrown.grpcStatus !== status.RESOURCE_EXHAUSTED : thrown.refusedBy !== 'breaker';
}

/**
 * Whether nobody answered, for retries: gRPC itself found the callee out of reach. What a callee says, a refusal too, is an answer. Asked again it
 * would only have more to do, and what it passes on from further in has been retried there: retries of several layers would multiply.
 */
export const isUnanswered = (thrown: unknown): boolean =>
  thrown instanceof MallError && thrown.grpcStatus === status.UNAVAILABLE && !thrown.isRelayed && thrown.refusedBy === undefined;

const codeIn = (metadata: Metadata): number => Number(metadata.get(metadataKeys.code)[0]);

/** What a server sends for a thrown value: gRPC status, words, and in the trailing metadata our code and who refused. */
export function toStatus(thrown: unknown): StatusObject {
  const error = thrown instanceof MallError ? thrown : new MallError('serverError');
  const metadata = new Metadata();
  metadata.set(metadataKeys.code, String(error.code));
  if (error.refusedBy !== undefined) metadata.set(metadataKeys.refusedBy, error.refusedBy);
  return { code: error.grpcStatus, details: error.message, metadata };
}

/** What a client makes of a failed call: the server's own error if it sent one, otherwise what gRPC itself found out. */
export function fromStatus(error: ServiceError): MallError {
  const failure = failureOf(codeIn(error.metadata));
  if (failure === undefined) return unsaid(error);
  const refusedBy = String(error.metadata.get(metadataKeys.refusedBy)[0]);
  return new MallError(failure, error.details, {
    cause: error,
    grpcStatus: error.code,
    refusedBy: isRefusal(refusedBy) ? refusedBy : undefined,
    isRelayed: true,
  });
}

/** What gRPC itself found out, or a server that is none of ours said. */
function unsaid(error: ServiceError): MallError {
  switch (error.code) {
    case status.DEADLINE_EXCEEDED:
      return refused('deadline');
    case status.CANCELLED:
      return cancelled();
    default:
      return new MallError('rpc', error.details, { cause: error, grpcStatus: error.code });
  }
}
