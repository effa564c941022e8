import { UsageError } from '../../core/errors.ts';
import { type Percent, toMs, toShare } from '../../core/units.ts';
import type { Service } from '../../system/topology.ts';
import type { Expectation, Within } from './expectation.ts';
import { checkService } from './names.ts';
import { percent, seconds, unknown, verdict } from './verdicts.ts';

/** Requests that a service turns away by itself because its machine is overloaded: `shedding('gateway').between('2%', '90%')`. */
export function shedding(service: Service) {
  checkService(service);
  return {
    between(least: Percent, most: Percent): Expectation {
      const [leastShare, mostShare] = [toShare(least), toShare(most)];
      if (leastShare > mostShare) throw new UsageError(`Expected the smaller share first, got between('${least}', '${most}')`);
      return {
        sentence: `${service} sheds between ${least} and ${most} of its load`,
        restsOnLoad: true,
        judge(seen) {
          const { points, silent } = seen.shedding(service);
          const { judged, shed } = totals(points);
          if (silent.length > 0 || judged === 0) return unknown(`nothing is known of ${silent.join(' and ') || service}`);
          return verdict(
            shed > 0 && shed / judged >= leastShare && shed / judged <= mostShare,
            `shed ${percent(shed / judged)} of ${Math.round(judged)}`,
          );
        },
      };
    },
    stops({ within }: Within): Expectation {
      const withinMs = toMs(within);
      return {
        sentence: `${service} stops shedding within ${within}`,
        restsOnLoad: true,
        withinMs,
        judge(seen) {
          const { points } = seen.shedding(service);
          const { points: laterPoints, silent } = seen.shedding(service, { ...seen.window, fromMs: seen.window.fromMs + withinMs });
          const later = totals(laterPoints);
          if (totals(seen.shedding(service, { fromMs: 0, untilMs: seen.window.untilMs }).points).shed === 0) {
            return unknown('it never shed, so it could not stop');
          }
          if (silent.length > 0 || later.judged === 0)
            return unknown(`nothing is known of ${silent.join(' and ') || service} after ${within}`);
          const last = points.findLast(({ shed }) => shed >= 0.5);
          const observed =
            last === undefined ? 'nothing shed in this phase' : `last shed ${seconds(last.atMs - seen.window.fromMs)} into the phase`;
          return verdict(Math.round(later.shed) === 0, observed);
        },
      };
    },
  };
}

function totals(points: readonly { judged: number; shed: number }[]) {
  return points.reduce((sum, { judged, shed }) => ({ judged: sum.judged + judged, shed: sum.shed + shed }), { judged: 0, shed: 0 });
}
