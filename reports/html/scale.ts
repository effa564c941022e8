import { formatMoment } from '../format.ts';

/** Where a value lies between 0 and 1, and the values worth a grid line. */
export type Scale = { at: (value: number) => number; ticks: { value: number; label: string }[] };
type Labelled = { format: (value: number) => string };

/** From 0 to a round number that holds `max`. */
export function linear({ max, most = 4, format }: { max: number; most?: number } & Labelled): Scale {
  const step = roundStep((max > 0 ? max : 1) / most);
  const top = Math.ceil((max > 0 ? max : 1) / step - 1e-9) * step;
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
  return { at: (value) => clamped(value / top), ticks: ticks.map((value) => ({ value, label: format(value) })) };
}

/** From 0 to exactly `max`, with round ticks within. */
export function within({ max, most = 4, format }: { max: number; most?: number } & Labelled): Scale {
  const step = roundStep(max / most);
  const ticks = Array.from({ length: Math.floor(max / step) + 1 }, (_, index) => index * step);
  return { at: (value) => clamped(value / max), ticks: ticks.map((value) => ({ value, label: format(value) })) };
}

/** From 0 to exactly 1. */
export function shares({ format }: Labelled): Scale {
  return { at: clamped, ticks: [0, 0.5, 1].map((value) => ({ value, label: format(value) })) };
}

/** Powers of ten that hold `min` to `max`; with less than two of them also 2 and 5. Both bounds are above 0. */
export function logarithmic({ min, max, format }: { min: number; max: number } & Labelled): Scale {
  const marks = max / min > 30 ? [1] : [1, 2, 5];
  const from = highestMark(min, marks);
  const to = Math.max(lowestMark(max, marks), from * 2);
  const ticks: number[] = [];
  for (let decade = Math.floor(Math.log10(from)); decade <= Math.ceil(Math.log10(to)); decade += 1) {
    for (const mark of marks) ticks.push(mark * 10 ** decade);
  }
  return {
    at: (value) => clamped(Math.log(Math.max(value, Number.MIN_VALUE) / from) / Math.log(to / from)),
    ticks: ticks.filter((value) => value >= from * 0.999 && value <= to * 1.001).map((value) => ({ value, label: format(value) })),
  };
}

/** Round moments of a stretch of the timeline, at most eight. */
export function timeline({ fromMs, untilMs }: { fromMs: number; untilMs: number }): Scale & { fromMs: number; untilMs: number } {
  const lastsMs = Math.max(untilMs - fromMs, 1_000);
  const stepMs = 1_000 * (momentSteps.find((seconds) => lastsMs / (seconds * 1_000) <= 7) ?? Math.ceil(lastsMs / 7_000 / 3_600) * 3_600);
  const ticks: number[] = [];
  for (let moment = Math.ceil(fromMs / stepMs) * stepMs; moment <= untilMs; moment += stepMs) ticks.push(moment);
  return {
    fromMs,
    untilMs: fromMs + lastsMs,
    at: (ms) => clamped((ms - fromMs) / lastsMs),
    ticks: ticks.map((value) => ({ value, label: formatMoment(value) })),
  };
}
export type Timeline = ReturnType<typeof timeline>;

const momentSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];

function roundStep(rough: number): number {
  const decade = 10 ** Math.floor(Math.log10(rough));
  return decade * ([1, 2, 2.5, 5, 10].find((mark) => mark * decade >= rough * 0.999) ?? 10);
}

function highestMark(value: number, marks: readonly number[]): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * (marks.findLast((mark) => mark * decade <= value * 1.001) ?? 1);
}

function lowestMark(value: number, marks: readonly number[]): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * (marks.find((mark) => mark * decade >= value * 0.999) ?? 10);
}

const clamped = (share: number) => Math.min(1, Math.max(0, share));
