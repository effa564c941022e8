import type { RequestOutcome } from '../record.ts';

/** How a request ended, by nothing but the status of its HTTP answer. Redirects are answers: nobody follows them. */
export function outcomeOfStatus(status: number): RequestOutcome {
  if (status >= 200 && status < 400) return 'ok';
  switch (status) {
    case 429:
      return 'limited';
    case 503:
      return 'shed';
    case 504:
      return 'deadline';
    default:
      return 'failed';
  }
}

/**
 * How a request ended that got no answer, by the code of its error. One for which this process, its machine or its ports had no socket left never
 * left: that is no doing of the target's.
 */
export function outcomeOfError(code: string | undefined): RequestOutcome {
  switch (code) {
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'refused';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset';
    case 'ETIMEDOUT':
      return 'timeout';
    case 'EMFILE':
    case 'ENFILE':
    case 'EADDRNOTAVAIL':
      return 'dropped';
    default:
      return 'failed';
  }
}
