import type { Live } from '../../reports/live.ts';

/** The 32nd second of a flash sale of 75, 12 s after its fault began. */
export const liveSecond: Live = {
  phases: [
    { name: 'before', fromMs: 0, untilMs: 15_000, faults: [] },
    { name: 'rush', fromMs: 15_000, untilMs: 45_000, faults: [{ fromMs: 20_000, untilMs: 45_000 }] },
    { name: 'after', fromMs: 45_000, untilMs: 75_000, faults: [] },
  ],
  phase: 'rush',
  elapsedMs: 32_000,
  totalMs: 75_000,
  plannedPerSecond: 1_512,
  sentPerSecond: 1_498,
  inFlight: 81,
  latencyMs: { p50: { ms: 31.23, isCensored: false }, p99: { ms: 412.7, isCensored: false } },
  lagMsMax: 0.42,
  outcomes: { ok: 300, limited: 1, shed: 120, degraded: 30, timeout: 3 },
  faults: ['orders->payment: slowed by 1s ± 200ms'],
};
