import type { Outcome, RequestOutcome } from '../harness/record.ts';

/** `1,234`; below 10 with one decimal unless it is whole: `2.5`. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 });
}

/** Three significant digits in the unit that reads best: `0.42 ms`, `12.3 ms`, `1.25 s`, `2 min 5 s`. */
export function formatMs(ms: number): string {
  if (ms >= 119_500) return `${Math.floor(Math.round(ms / 1_000) / 60)} min ${Math.round(ms / 1_000) % 60} s`;
  if (ms >= 999.5) return `${threeDigits(ms / 1_000)} s`;
  return `${threeDigits(ms)} ms`;
}

/** `0.123` is `12.3%`. What is not quite all or nothing never rounds to `100%` or `0%`. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.05) return '<0.1%';
  if (percent < 100 && percent > 99.95) return '>99.9%';
  return `${percent.toLocaleString('en-US', { maximumFractionDigits: 1 })}%`;
}

/** Whole gigabytes or megabytes, in powers of 1,024, as machines are sold. */
export function formatBytes(bytes: number): string {
  const gibibytes = bytes / 2 ** 30;
  return gibibytes >= 1 ? `${formatCount(Math.round(gibibytes * 10) / 10)} GB` : `${formatCount(bytes / 2 ** 20)} MB`;
}

/** A place on the timeline, `1:05`; before the first phase `-0:03`. */
export function formatMoment(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1_000);
  return `${ms < 0 && seconds > 0 ? '-' : ''}${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export const outcomeWords: Record<RequestOutcome, string> = {
  ok: 'ok',
  degraded: 'degraded',
  outOfStock: 'out of stock',
  shed: 'shed',
  limited: 'limited',
  breakerOpen: 'breaker open',
  deadline: 'deadline',
  timeout: 'timeout',
  unavailable: 'unavailable',
  failed: 'failed',
  wrongAnswer: 'wrong answer',
  reset: 'reset',
  refused: 'refused',
  dropped: 'dropped',
};

/** A mark and a word for each outcome, so that none is told by colour alone. */
export const verdictWords: Record<Outcome, { mark: string; verdict: string; run: string }> = {
  met: { mark: '✓', verdict: 'met', run: 'met' },
  missed: { mark: '✗', verdict: 'missed', run: 'missed' },
  unknown: { mark: '?', verdict: 'unknown', run: 'inconclusive' },
};

function threeDigits(value: number): string {
  const fractionDigits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: fractionDigits });
}
