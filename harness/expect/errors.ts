import { UsageError } from '../../core/errors.ts';
import { type Percent, toMs, toShare } from '../../core/units.ts';
import type { Route } from '../../system/topology.ts';
import type { Answers } from '../observe/observations.ts';
import { answeredWell } from '../record.ts';
import { type Expectation, type From, partFrom, since } from './expectation.ts';
import { checkRoute } from './names.ts';
import { percent, unknown, verdict } from './verdicts.ts';

/** Requests that did not serve the shopper, refusals included; sold out is an answer, not an error: `errors('checkout').below('0.5%')`. */
export function errors(route: Route) {
  checkRoute(route);
  return errorsOf(route);
}

/** The same for a route of any target. */
export function errorsOf(route: string) {
  return {
    below(limit: Percent, { from = '0ms' }: From = {}): Expectation {
      const [share, fromMs] = [toShare(limit), toMs(from)];
      if (share === 0) throw new UsageError(`Fewer than 0% of ${route} requests cannot fail; expect fewer than '0.1%', for instance`);
      return {
        sentence: `fewer than ${limit} of ${route} requests fail${since(from)}`,
        route,
        restsOnLoad: true,
        withinMs: fromMs,
        judge(seen) {
          const answers = seen.requests(route, partFrom(seen, fromMs));
          if (answers.count === 0) return unknown(`no ${route} request was made`);
          const failed = answers.count - servedCount(answers);
          return verdict(failed / answers.count < share, `${percent(failed / answers.count)} of ${answers.count}${listed(answers)}`);
        },
      };
    },
  };
}

const servedCount = ({ byOutcome }: Answers) => answeredWell.reduce((sum, outcome) => sum + (byOutcome[outcome] ?? 0), 0);

function listed({ byOutcome }: Answers): string {
  const parts = Object.entries(byOutcome).filter(([outcome, count]) => count > 0 && !(answeredWell as readonly string[]).includes(outcome));
  return parts.length === 0 ? '' : ` (${parts.map(([outcome, count]) => `${count} ${outcome}`).join(', ')})`;
}
