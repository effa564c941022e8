import type { RequestOutcome } from '../record.ts';

/** What came back: the status, who refused (`X-Refused-By`), and the business code of the body where it was read. */
export type Answer = { status: number; refusedBy?: string | undefined; code?: number | undefined };

/** How a request ended, by its answer. A named refusal says more than its status; a status without a name is taken by its number. */
export function outcomeOfAnswer({ status, refusedBy, code }: Answer): RequestOutcome {
  if (status === 200 || status === 201) return 'ok';
  if (status === 202) return 'degraded';
  if (status === 409 && code === outOfStockCode) return 'outOfStock';
  switch (refusedBy) {
    case 'shedding':
      return 'shed';
    case 'limit':
    case 'connections':
      return 'limited';
    case 'breaker':
      return 'breakerOpen';
    case 'deadline':
      return 'timeout';
  }
  switch (status) {
    case 429:
      return 'limited';
    case 503:
      return 'unavailable';
    case 504:
      return 'timeout';
    default:
      return 'failed';
  }
}

/** How a request ended that got no answer, by the code of its error. */
export function outcomeOfError(code: string | undefined): RequestOutcome {
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET': // the other side closed the connection instead of answering
      return 'reset';
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'timeout';
    default:
      return 'failed';
  }
}

/** The mall's business code for "there is too little of this product". */
const outOfStockCode = 3004;
