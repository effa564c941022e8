import { UsageError } from '../../core/errors.ts';
import { type Percent, toMs, toShare } from '../../core/units.ts';
import type { Route } from '../../system/topology.ts';
import type { Answers } from '../observe/observations.ts';
import { answeredWell, type RequestOutcome, unexplainedOutcomes } from '../record.ts';
import { type Expectation, type From, fromOf, partFrom, since } from './expectation.ts';
import { checkRoute } from './names.ts';
import { latenessDoubt } from './validity.ts';
import { percent, unknown, verdict } from './verdicts.ts';

/** Requests that did not serve the shopper, refusals included; sold out is an answer, not an error: `errors('checkout').below('0.5%')`. */
export function errors(route: Route) {
  checkRoute(route);
  return errorsOf(route);
}

/** The same for a route of any target. */
export function errorsOf(route: string) {
  return {
    below(limit: Percent, options?: From): Expectation {
      const from = fromOf(options);
      const [share, fromMs] = [toShare(limit), toMs(from)];
      if (share === 0) throw new UsageError(`Fewer than 0% of ${route} requests cannot fail; expect fewer than '0.1%', for instance`);
      return {
        sentence: `fewer than ${limit} of ${route} requests fail${since(from)}`,
        route,
        restsOnLoad: true,
        withinMs: fromMs,
        judge(seen) {
          const part = partFrom(seen, fromMs);
          const answers = seen.requests(route, part);
          const { count, byOutcome, timeoutMs } = answers;
          if (count === 0) return unknown(`no ${route} request was made`);
          const failed = count - servedCount(answers);
          const observed = `${percent(failed / count)} of ${count}${listed(answers)}`;
          const isMet = failed / count < share;
          // Answers that the generator or its machine was late to take count as timeouts.
          const restsOnTimeouts = !isMet && (failed - (byOutcome.timeout ?? 0)) / count < share;
          const doubt = restsOnTimeouts ? latenessDoubt(seen.ground(part), timeoutMs) : undefined;
          return doubt === undefined ? verdict(isMet, observed) : unknown(`${observed}, but ${doubt}`);
        },
      };
    },
  };
}

const servedCount = ({ byOutcome }: Answers) => answeredWell.reduce((sum, outcome) => sum + (byOutcome[outcome] ?? 0), 0);

/** How many ended in which way, and of the commonest that does not explain itself why the first did. */
function listed({ byOutcome, reasons = {} }: Answers): string {
  const parts = (Object.entries(byOutcome) as [RequestOutcome, number][]).filter(
    ([outcome, n]) => n > 0 && !answeredWell.includes(outcome),
  );
  if (parts.length === 0) return '';
  const [told] = parts
    .filter(([outcome]) => unexplainedOutcomes.includes(outcome) && reasons[outcome] !== undefined)
    .toSorted(([, one], [, other]) => other - one)
    .map(([outcome]) => `first${parts.length === 1 ? '' : ` ${worded(outcome)}`}: ${reasons[outcome]}`);
  return ` (${[...parts.map(([outcome, n]) => `${n} ${worded(outcome)}`), ...(told === undefined ? [] : [told])].join(', ')})`;
}

/** `wrongAnswer` is `wrong answer`, as it is wherever people read it. */
const worded = (outcome: RequestOutcome) => outcome.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
