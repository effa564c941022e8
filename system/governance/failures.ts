/**
 * The gRPC status codes that count against a callee, for breakers and for balancing alike (governance.md 1.6): DEADLINE_EXCEEDED,
 * RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS. All others, such as NOT_FOUND, are answers of a callee
 * that works.
 */
export const isFailureCode = (code: number): boolean => failureCodes.has(code);

const failureCodes: ReadonlySet<number> = new Set([4, 8, 12, 13, 14, 15]);
