import { UsageError } from '../core/errors.ts';
import { services } from '../system/topology.ts';
import { type TuningChanges, tuningOf } from '../system/tuning.ts';

/**
 * A change of the mall's tuning as it is written on the command line: `mall.breaker.judges=cause`, or for one service
 * `gateway.shedding.cpuThresholdMilli=950`. What comes after `=` is JSON, or else text. Throws a `UsageError` for what is
 * no such text; whether the field exists is asked by `checkChanges`.
 */
export function changeFrom(text: string): TuningChanges {
  const [path = '', ...rest] = text.split('=');
  if (rest.length === 0 || path === '') {
    throw new UsageError(`Expected --tune to be a field and its value such as mall.breaker.judges=cause, got '${text}'`);
  }
  return namesIn(path).reduceRight<unknown>((inner, name) => ({ [name]: inner }), valueFrom(rest.join('='))) as TuningChanges;
}

/** The same the other way round: every field that is changed, in the order of the changes. */
export function textsOf(changes: TuningChanges): string[] {
  return leavesOf(changes).map(([path, value]) => `${path.join('.')}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
}

/** Whether the mall can be tuned so, one change on top of the other. Throws a `UsageError` that names the field, what was expected and what came. */
export function checkChanges(...changes: readonly TuningChanges[]): void {
  try {
    for (const service of services) tuningOf(service, ...changes);
  } catch (cause) {
    if (cause instanceof TypeError) throw new UsageError(cause.message, { cause });
    throw cause;
  }
}

/** The full name of a method has dots of its own, and comes last: `mall.deadlines.methods./orders.Orders/Create`. */
function namesIn(path: string): string[] {
  const [before, method] = path.split(/\.(?=\/)/);
  return [...(before ?? '').split('.'), ...(method === undefined ? [] : [method])];
}

function valueFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Text needs no quotes on a command line.
    return text;
  }
}

function leavesOf(value: unknown, path: readonly string[] = []): [path: readonly string[], value: unknown][] {
  const isInner = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isInner ? Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, [...path, name])) : [[path, value]];
}
