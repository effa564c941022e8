import { status } from '@grpc/grpc-js';

/**
 * Every way in which the mall says no: the business code of the envelope, what it is over HTTP and over gRPC, and the words for a shopper.
 * The one place where the three meet.
 */
const failures = {
  serverError: { code: 1001, http: 500, grpc: status.INTERNAL, message: 'The mall made a mistake' },
  badParameter: { code: 1002, http: 400, grpc: status.INVALID_ARGUMENT, message: 'A parameter is missing or wrong' },
  tokenExpired: { code: 1003, http: 401, grpc: status.UNAUTHENTICATED, message: 'The token has expired' },
  tokenFailed: { code: 1004, http: 401, grpc: status.UNAUTHENTICATED, message: 'The token is not valid' },
  database: { code: 1005, http: 500, grpc: status.INTERNAL, message: 'The database did not answer as it should' },
  cache: { code: 1006, http: 500, grpc: status.INTERNAL, message: 'The cache did not answer as it should' },
  rpc: { code: 1007, http: 503, grpc: status.UNAVAILABLE, message: 'A service of the mall cannot be reached' },
  cancelled: { code: 1008, http: 499, grpc: status.CANCELLED, message: 'Whoever asked has gone away' },
  bodyTooLarge: { code: 1009, http: 413, grpc: status.INVALID_ARGUMENT, message: 'The request is too large' },
  userMissing: { code: 2001, http: 404, grpc: status.NOT_FOUND, message: 'There is no such user' },
  userExists: { code: 2002, http: 409, grpc: status.ALREADY_EXISTS, message: 'This user exists already' },
  password: { code: 2003, http: 401, grpc: status.UNAUTHENTICATED, message: 'The name or the password is wrong' },
  mobileFormat: { code: 2004, http: 400, grpc: status.INVALID_ARGUMENT, message: 'This is not a mobile number' },
  verifyCode: { code: 2005, http: 400, grpc: status.INVALID_ARGUMENT, message: 'The verification code is wrong' },
  orderMissing: { code: 3001, http: 404, grpc: status.NOT_FOUND, message: 'There is no such order' },
  orderStatus: { code: 3002, http: 409, grpc: status.FAILED_PRECONDITION, message: 'The order is not in a state that allows this' },
  orderCreateFailed: { code: 3003, http: 503, grpc: status.UNAVAILABLE, message: 'The order could not be made' },
  outOfStock: { code: 3004, http: 409, grpc: status.FAILED_PRECONDITION, message: 'Not enough of this product is left' },
  paymentFailed: { code: 4001, http: 409, grpc: status.FAILED_PRECONDITION, message: 'The payment failed' },
  paymentTimeout: { code: 4002, http: 504, grpc: status.DEADLINE_EXCEEDED, message: 'The payment took too long' },
  insufficientBalance: { code: 4003, http: 409, grpc: status.FAILED_PRECONDITION, message: 'The balance is too low' },
} as const;
export type FailureName = keyof typeof failures;

/** The business codes of the envelope, by name. */
export const codes = {
  ok: 0 as const,
  ...(Object.fromEntries(Object.entries(failures).map(([name, { code }]) => [name, code])) as {
    [N in FailureName]: (typeof failures)[N]['code'];
  }),
};

/** Who turned a call away by design, without anything being broken where it was turned away. */
const refusals = {
  breaker: { failure: 'rpc', http: 503, grpc: status.UNAVAILABLE, message: 'The circuit breaker is open' },
  shedding: { failure: 'serverError', http: 503, grpc: status.RESOURCE_EXHAUSTED, message: 'The service is overloaded' },
  limit: { failure: 'serverError', http: 429, grpc: status.RESOURCE_EXHAUSTED, message: 'Too many requests' },
  connections: { failure: 'serverError', http: 503, grpc: status.RESOURCE_EXHAUSTED, message: 'Too many requests are in progress' },
  deadline: { failure: 'rpc', http: 504, grpc: status.DEADLINE_EXCEEDED, message: 'The time for this call is used up' },
} as const;
export type Refusal = keyof typeof refusals;
export const isRefusal = (name: string): name is Refusal => Object.hasOwn(refusals, name);

/**
 * A failure that a caller can name: it keeps its code across processes (`rpc/status.ts`) and becomes the envelope at the gateway.
 * A refusal takes its HTTP and gRPC status from who refused. `notFound` says 404 where a parameter is well formed and names nothing;
 * `grpcStatus` keeps what came over the wire where it is not what the table says; `isRelayed` tells that a callee said so, not this process.
 */
export class MallError extends Error {
  override readonly name = 'MallError';
  readonly code: number;
  readonly httpStatus: number;
  readonly grpcStatus: status;
  readonly refusedBy: Refusal | undefined;
  readonly isRelayed: boolean;

  constructor(
    failure: FailureName,
    message?: string,
    {
      cause,
      refusedBy,
      notFound = false,
      grpcStatus = notFound ? status.NOT_FOUND : undefined,
      isRelayed = false,
    }: {
      cause?: unknown;
      refusedBy?: Refusal | undefined;
      notFound?: boolean;
      grpcStatus?: status | undefined;
      isRelayed?: boolean;
    } = {},
  ) {
    const usual = refusedBy === undefined ? failures[failure] : refusals[refusedBy];
    super(message ?? usual.message, cause === undefined ? undefined : { cause });
    this.code = failures[failure].code;
    this.grpcStatus = grpcStatus ?? usual.grpc;
    this.httpStatus = this.grpcStatus === usual.grpc ? usual.http : httpByGrpc[this.grpcStatus];
    this.refusedBy = refusedBy;
    this.isRelayed = isRelayed;
  }
}

/** For a gRPC status that no failure of ours stands for. */
const httpByGrpc: Readonly<Record<status, number>> = {
  [status.OK]: 200,
  [status.CANCELLED]: 408,
  [status.UNKNOWN]: 500,
  [status.INVALID_ARGUMENT]: 400,
  [status.DEADLINE_EXCEEDED]: 504,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.PERMISSION_DENIED]: 403,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.FAILED_PRECONDITION]: 400,
  [status.ABORTED]: 409,
  [status.OUT_OF_RANGE]: 400,
  [status.UNIMPLEMENTED]: 501,
  [status.INTERNAL]: 500,
  [status.UNAVAILABLE]: 503,
  [status.DATA_LOSS]: 500,
  [status.UNAUTHENTICATED]: 401,
};

/** A refusal by design as an error: `throw refused('shedding')`. */
export function refused(by: Refusal, message?: string): MallError {
  return stackless(() => new MallError(refusals[by].failure, message, { refusedBy: by }));
}

/** What becomes of a call whose caller has gone away: nobody will see it, but it is counted. */
export const cancelled = (): MallError => stackless(() => new MallError('cancelled'));

/**
 * Makes errors without a stack. An overload makes thousands of them a second, each for the same reason and from the same place, and looking the
 * stack up costs more than all the rest of a refusal.
 */
export function stackless<T>(make: () => T): T {
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = depth;
  }
}

/** The name behind a business code; undefined for a code that nobody here gave. */
export function failureOf(code: number): FailureName | undefined {
  return nameByCode.get(code);
}
const nameByCode = new Map(Object.entries(failures).map(([name, { code }]) => [code as number, name as FailureName]));

/**
 * Whether a callee has thought about the request and said no in the words of the business, such as 'paymentTimeout'. Then the callee works,
 * whatever its status says: the breaker that has to open is the one between the callee and what failed it.
 */
export const isConsidered = (thrown: unknown): boolean => thrown instanceof MallError && isBusinessCode(thrown.code);
/** Whether the envelope's code is one of the business, not of the machinery: false for NaN. */
export const isBusinessCode = (code: number): boolean => code >= 2_000;

/** Whether somebody turned the call away by design, to protect himself or others. A call whose time was used up had its chance. */
export const isTurnedAway = (thrown: unknown): boolean =>
  thrown instanceof MallError && thrown.refusedBy !== undefined && thrown.refusedBy !== 'deadline';

/** What any thrown value is over HTTP. What is not a `MallError` is a mistake of ours: 500. */
export const httpStatusOf = (thrown: unknown): number => (thrown instanceof MallError ? thrown.httpStatus : 500);

/** What any thrown value is over gRPC. What is not a `MallError` is a mistake of ours: INTERNAL. */
export const grpcStatusOf = (thrown: unknown): status => (thrown instanceof MallError ? thrown.grpcStatus : status.INTERNAL);
