/**
 * The gRPC status codes that count against a callee (governance.md 1.6): DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL,
 * UNAVAILABLE and DATA_LOSS. All others, such as NOT_FOUND, are answers of a callee that works. Where the `cause` is judged, the business code
 * that came along is asked for as well (`rpc/status.ts`).
 */
export const isFailureCode = (code: number): boolean => failureCodes.has(code);

const failureCodes: ReadonlySet<number> = new Set([4, 8, 12, 13, 14, 15]);
