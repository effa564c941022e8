/** The vocabulary of a scenario: all that a file in `scenarios/` imports. */
export { cut, reset, silent, slow, throttle } from '../chaos/faults.ts';
export { balance, breaker, errors, latency, orders, shedding, stock, traces } from './expect.ts';
export { ramp, steady } from './load.ts';
export { phase, scenario } from './scenario.ts';
