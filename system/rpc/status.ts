import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import { failureOf, grpcStatusOf, isBusinessCode, isConsidered, isRefusal, MallError, refused } from '../errors.ts';
import { isFailureCode } from '../governance/failures.ts';
import { metadataKeys } from '../telemetry/names.ts';

/** Whether a failed RPC counts against its callee, for breakers. go-zero judges by the status alone; see `isConsidered`. */
export const isRpcFailure = (thrown: unknown): boolean => isFailureCode(grpcStatusOf(thrown)) && !isConsidered(thrown);

/** The same of a status as it came over the wire, for balancing: what a breaker forgives must not cost a replica its calls. */
export const isFailureStatus = (code: status, metadata: Metadata): boolean => isFailureCode(code) && !isBusinessCode(codeIn(metadata));

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
  if (failure === undefined) {
    if (error.code === status.DEADLINE_EXCEEDED) return refused('deadline');
    return new MallError('rpc', error.details, { cause: error, grpcStatus: error.code });
  }
  const refusedBy = String(error.metadata.get(metadataKeys.refusedBy)[0]);
  return new MallError(failure, error.details, {
    cause: error,
    grpcStatus: error.code,
    refusedBy: isRefusal(refusedBy) ? refusedBy : undefined,
  });
}
