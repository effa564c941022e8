import type { Contestant } from '../contestant.ts';
import { artillery } from './artillery.ts';
import { autocannon, autocannonUncorrected } from './autocannon.ts';
import { k6 } from './k6.ts';
import { oha } from './oha.ts';
import { ours } from './ours.ts';
import { vegeta } from './vegeta.ts';
import { wrk, wrk2 } from './wrk.ts';

/** All that we know how to drive. Ours and autocannon are always there, the others where PATH has them: see `version`. */
export const everyone: readonly Contestant[] = [ours, autocannon, autocannonUncorrected, wrk, wrk2, oha, vegeta, k6, artillery];
