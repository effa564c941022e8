import { type Journey, journey, type Visitor } from '../journey.ts';
import { abortWhenOf, type StopLimit } from '../stop-condition.ts';
import { errorsOf } from './errors.ts';
import { latencyOf } from './latency.ts';

/**
 * The words of a scenario for a target of one's own, typed by the steps its visitors take:
 * `const { journey, latency, errors, abortWhen } = vocabulary('list', 'buy');`
 */
export function vocabulary<const Step extends string>(...steps: readonly Step[]) {
  return {
    /** `journey(async ({ step, think }) => { await step('list', get('/products')); await think('1s', '3s'); })` */
    journey: (visit: (visitor: Visitor<Step>) => Promise<void>): Journey<Step> => journey(steps, visit),
    /** `latency('list').p99.below('200ms')` */
    latency: (step: Step) => latencyOf(step),
    /** `errors('buy').below('1%')` */
    errors: (step: Step) => errorsOf(step),
    /** `abortWhen('buy', { errorsAbove: '50%', for: '5s' })`: a stop condition, for a load that must not hurt whom it visits */
    abortWhen: (step: Step, limit: StopLimit) => abortWhenOf(step, limit),
  };
}
