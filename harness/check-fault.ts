import { type Fault, isProcessFault, sentenceOf, subjectOf } from '../chaos/faults.ts';
import { described } from '../core/described.ts';
import { UsageError } from '../core/errors.ts';
import { type Duration, type Percent, toMs, toShare } from '../core/units.ts';
import { endsOf, isService, type Service } from '../system/topology.ts';
import { checkEdge, checkService } from './expect/names.ts';
import { checkFields, named } from './fields.ts';

/** Refuses a fault that names what does not exist, has numbers that mean nothing, or reaches beyond its phase. Throws `UsageError`. */
export function checkFault(fault: Fault, { lastsMs, replicas }: { lastsMs: number; replicas: Readonly<Record<Service, number>> }): void {
  if (typeof fault?.kind !== 'string' || !Object.hasOwn(optionsOf, fault.kind))
    refuse(`Expected a fault such as slow(…) or kill(…), got ${described(fault?.kind ?? fault)}`);
  checkOptions(fault);
  checkReplica(fault, replicas);
  if (!isProcessFault(fault)) checkToxic(fault);
  checkTimes(fault, lastsMs);
}

function checkOptions(fault: Fault): void {
  const given = ['kind', isProcessFault(fault) ? 'service' : 'edge'];
  checkFields(fault.kind, fault, [...ofEvery, ...optionsOf[fault.kind]], { given });
}

const ofEvery = ['replica', 'from', 'every'] as const;
const ofBytes = ['lasts', 'direction', 'toxicity'] as const;
const optionsOf: Readonly<Record<Fault['kind'], readonly string[]>> = {
  slow: [...ofBytes, 'by', 'jitter'],
  cut: ['lasts'],
  silent: [...ofBytes, 'closesAfter'],
  blackHole: ofBytes,
  reset: ofBytes,
  throttle: [...ofBytes, 'kilobytesPerSecond'],
  slice: [...ofBytes, 'bytes', 'variation', 'pause'],
  closeAfter: [...ofBytes, 'bytes'],
  slowClose: [...ofBytes, 'by'],
  kill: ['lasts'],
  pause: ['lasts'],
  restart: [],
};

function checkReplica(fault: Fault, replicas: Readonly<Record<Service, number>>): void {
  if (isProcessFault(fault)) checkService(fault.service);
  else checkEdge(fault.edge);
  if (fault.replica === undefined) return;
  const callee = isProcessFault(fault) ? fault.service : endsOf(fault.edge).callee;
  if (!isService(callee)) refuse(`'${subjectOf(fault)}' has no replicas, so a fault cannot pick replica ${described(fault.replica)}`);
  if (!Number.isInteger(fault.replica) || fault.replica < 1 || fault.replica > replicas[callee]) {
    refuse(`There is no replica ${described(fault.replica)} of ${callee}; it has ${replicas[callee]}, numbered from 1`);
  }
}

function checkToxic(fault: Exclude<Fault, { service: Service }>): void {
  switch (fault.kind) {
    case 'slow':
      positive('by', fault.by);
      msOf('jitter', fault.jitter ?? '0ms');
      break;
    case 'slowClose':
      positive('by', fault.by);
      break;
    case 'silent':
      if (fault.closesAfter !== undefined) positive('closesAfter', fault.closesAfter);
      break;
    case 'throttle':
      if (!(fault.kilobytesPerSecond > 0 && Number.isFinite(fault.kilobytesPerSecond)))
        refuse(`Expected a throttle of a number of KB/s above 0, got ${described(fault.kilobytesPerSecond)}`);
      break;
    case 'closeAfter':
      whole('bytes', fault.bytes, 1);
      break;
    case 'slice':
      whole('bytes', fault.bytes, 1);
      whole('variation', fault.variation ?? 0, 0);
      if ((fault.variation ?? 0) >= fault.bytes) refuse(`Expected a variation below ${fault.bytes} bytes, got ${fault.variation}`);
      msOf('pause', fault.pause ?? '0ms');
      break;
    case 'cut':
    case 'blackHole':
    case 'reset':
      break;
    default:
      fault satisfies never;
  }
  const { direction, toxicity } = fault as { direction?: string; toxicity?: Percent };
  if (direction !== undefined && !['upstream', 'downstream', 'both'].includes(direction)) {
    refuse(`Expected a direction out of upstream, downstream and both, got ${described(direction)}`);
  }
  if (toxicity !== undefined && named('toxicity', () => toShare(toxicity)) === 0)
    refuse(`'${sentenceOf(fault)}' concerns no connection at all`);
}

function checkTimes(fault: Fault, lastsMs: number): void {
  const { from = '0ms', lasts, every } = fault;
  const startMs = msOf('from', from);
  const onMs = lasts === undefined ? undefined : positive('lasts', lasts);
  const endMs = onMs === undefined ? lastsMs : startMs + onMs;
  const phase = `the phase's ${lastsMs / 1_000} s`;
  if (startMs >= lastsMs) refuse(`The fault '${sentenceOf(fault)}' begins at ${startMs} ms, when ${phase} are over`);
  if (endMs > lastsMs) refuse(`The fault '${sentenceOf(fault)}' ends at ${endMs} ms, outside ${phase}`);
  if (every === undefined) return;
  const everyMs = positive('every', every);
  if (fault.kind !== 'restart' && (onMs === undefined || onMs >= everyMs)) {
    refuse(`Expected '${sentenceOf(fault)}' to last for less than the ${every} after which it comes again, got ${lasts ?? 'no lasts'}`);
  }
  if ((lastsMs - startMs) / everyMs > mostOccurrences) refuse(`'${sentenceOf(fault)}' would come more than ${mostOccurrences} times`);
}

/** Each is a line of the record and of the report. */
const mostOccurrences = 1_000;

function positive(name: string, text: Duration): number {
  const ms = msOf(name, text);
  if (!(ms > 0)) refuse(`Expected '${name}' to be above 0, got '${text}'`);
  return ms;
}

const msOf = (name: string, text: Duration): number => named(name, () => toMs(text));

function whole(name: string, number: number, least: number): void {
  if (!Number.isSafeInteger(number) || number < least)
    refuse(`Expected '${name}' to be a whole number from ${least}, got ${described(number)}`);
}

function refuse(sentence: string): never {
  throw new UsageError(sentence);
}
