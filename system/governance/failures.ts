/**
 * The gRPC status codes that count against a callee (governance.md 1.6): DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL,
 * UNAVAILABLE and DATA_LOSS. All others, such as NOT_FOUND, are answers of a callee that works. Breakers and balancing alike also ask for
 * the business code that came along (`rpc/status.ts`): a failure that the callee has considered does not count against it.
 */
export const isFailureCode = (code: number): boolean => failureCodes.has(code);

const failureCodes: ReadonlySet<number> = new Set([4, 8, 12, 13, 14, 15]);
