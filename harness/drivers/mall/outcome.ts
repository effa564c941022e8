import type { RequestOutcome } from '../../record.ts';

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
      return 'deadline';
  }
  switch (status) {
    case 429:
      return 'limited';
    case 503:
      return 'unavailable';
    case 504:
      return 'deadline';
    default:
      return 'failed';
  }
}

/** The mall's business code for "there is too little of this product". */
const outOfStockCode = 3004;
