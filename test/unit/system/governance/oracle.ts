import { millisecondNs } from '../../../../system/governance/clock.ts';

/** The generator that the figures of governance.md were computed with (section 0). */
export function oracleRandom(): () => number {
  let x = 42;
  return () => {
    x = (Math.imul(1664525, x) + 1013904223) >>> 0;
    return x / 2 ** 32;
  };
}

/** A clock that stands still until it is set. */
export function handClock(): { clockNs: () => number; setMs(ms: number): void } {
  let nowNs = 0;
  return {
    clockNs: () => nowNs,
    setMs(ms) {
      nowNs = Math.round(ms * millisecondNs);
    },
  };
}
