/** One figure that a contestant told, or that the server counted, against what is right. Those without a target are there to be read. */
export type TruthFigure = {
  name: string;
  unit: Unit;
  /** Undefined: the contestant does not tell it. */
  said: number | undefined;
  target?: Target;
  /** The right answer by the server's log, where that can be worked out too. */
  byLog?: number | undefined;
};
export type Unit = '' | 'ms' | 'µs' | '%' | 'MB';

/** What is right: by closed-form arithmetic, and how far off is near enough. `truth` is undefined where only the limits are known. */
export type Target = { truth?: number; from: number; to: number; words: string };

export const exactly = (truth: number): Target => ({ truth, from: truth, to: truth, words: 'exactly' });
export const atMost = (to: number): Target => ({ from: Number.NEGATIVE_INFINITY, to, words: `≤ ${to}` });
export const atLeast = (from: number): Target => ({ from, to: Number.POSITIVE_INFINITY, words: `≥ ${from}` });
export const between = (from: number, to: number): Target => ({ from, to, words: `${from} – ${to}` });
export const within = (truth: number, { by }: { by: number }): Target => ({ truth, from: truth - by, to: truth + by, words: `± ${by}` });
export const withinShare = (truth: number, share: number): Target => ({
  truth,
  from: truth * (1 - share),
  to: truth * (1 + share),
  words: `± ${Number((share * 100).toPrecision(3))} %`,
});
/** The right answer is known, but nobody is held to it. */
export const toRead = (truth: number): Target => ({ truth, from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY, words: '' });

/** True when there are limits at all. */
export const isClaim = ({ from, to }: Target): boolean => from !== Number.NEGATIVE_INFINITY || to !== Number.POSITIVE_INFINITY;

/** Undefined where nothing is claimed, or nothing was told. */
export function isRight({ said, target }: Pick<TruthFigure, 'said' | 'target'>): boolean | undefined {
  if (target === undefined || said === undefined || !isClaim(target)) return undefined;
  return said >= target.from && said <= target.to;
}
