/** A question about load generators instead of a target: do they measure what arithmetic says? */
export type TruthTest = {
  kind: 'truth';
  name: string;
  story: string;
  /** How often each script is played with each generator. */
  repeats: number;
};

/** A file in `scenarios/` exports it as its default: `truth('truth', { story: 'Who tells the truth?', repeats: 3 })` */
export const truth = (name: string, rest: Omit<TruthTest, 'kind' | 'name'>): TruthTest => ({ kind: 'truth', name, ...rest });
