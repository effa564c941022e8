import { status } from '@grpc/grpc-js';
import type { RequestOutcome } from '../record.ts';

/** How a call ended, by nothing but the status that its server answered with (https://grpc.io/docs/guides/status-codes). */
export function outcomeOfGrpc(code: number): RequestOutcome {
  switch (code) {
    case status.OK:
      return 'ok';
    case status.RESOURCE_EXHAUSTED:
      return 'shed';
    case status.UNAVAILABLE:
      return 'unavailable';
    case status.DEADLINE_EXCEEDED:
      return 'deadline';
    default:
      return 'failed';
  }
}

/** `RESOURCE_EXHAUSTED: no seats left`. */
export const grpcStatusInWords = (code: number, details = '') =>
  `${status[code] ?? `status ${code}`}${details === '' ? '' : `: ${details}`}`;
