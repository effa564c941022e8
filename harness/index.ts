/** The vocabulary of a scenario: all that a file in `scenarios/` imports. */
export { blackHole, closeAfter, cut, kill, pause, reset, restart, silent, slice, slow, slowClose, throttle } from '../chaos/faults.ts';
export { storm } from '../chaos/storm.ts';
export { amplification } from './expect/amplification.ts';
export { balance } from './expect/balance.ts';
export { orders, stock } from './expect/books.ts';
export { breaker } from './expect/breaker.ts';
export { errors } from './expect/errors.ts';
export { latency } from './expect/latency.ts';
export { recovery } from './expect/recovery.ts';
export { shedding } from './expect/shedding.ts';
export { traces } from './expect/traces.ts';
export { vocabulary } from './expect/vocabulary.ts';
export { call, del, get, journey, patch, post, put } from './journey.ts';
export { crowd, ramp, spike, stages, steady, steps, uniformly } from './load.ts';
export { phase, scenario } from './scenario.ts';
export { capacity } from './search/question.ts';
export { abortWhen } from './stop-condition.ts';
export { truth } from './truth-test.ts';
