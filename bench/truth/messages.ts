import type { Behaviour, Spoiling } from './behaviour.ts';
import type { Pause } from './canary.ts';

/** What the server saw since it was last told to begin. Stamps are those of `nowUs`, in the order of arrival. */
export type Logged = {
  arrived: number;
  /** When a request had been read. Shorter than `arrived` when there were more than 262,144. */
  arrivedUs: Float64Array;
  /** When its answer had been written; NaN where there was none, or nobody to have it. */
  answeredUs: Float64Array;
  spoilt: Record<Spoiling, number>;
  /** In which the server's process did not run, whoever did that. */
  pauses: Pause[];
};

/** What the truth server is told, and what it tells. */
export type Order = { kind: 'begin'; behaviour: Behaviour } | { kind: 'report' };
export type Told = { port: number } | { begun: true } | { firstUs: number } | { logged: Logged };
