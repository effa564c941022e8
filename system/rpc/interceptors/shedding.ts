import { refused } from '../../errors.ts';
import type { Shedder } from '../../governance/shedder.ts';
import { attributes } from '../../telemetry/names.ts';
import type { Call, Interceptor } from './interceptor.ts';

/** Turns calls away while the service is overloaded. A rejection for which `isNoMeasure` holds ended too oddly to measure capacity by. */
export function shedding<C extends Call>({
  shedder,
  isNoMeasure = () => false,
}: {
  shedder: Shedder;
  isNoMeasure?: (thrown: unknown) => boolean;
}): Interceptor<C> {
  return async function shedding(call, next) {
    const permit = shedder.allow();
    if (permit === undefined) {
      call.span?.setAttribute(attributes.refusedBy, 'shedding');
      throw refused('shedding');
    }
    try {
      const answer = await next(call);
      permit.pass();
      return answer;
    } catch (error) {
      if (isNoMeasure(error)) permit.fail();
      else permit.pass();
      throw error;
    }
  };
}
