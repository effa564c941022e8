import { toMs } from '../../core/units.ts';
import type { Fault } from '../faults.ts';
import type { Answer } from './line.ts';

/** A question that was asked twice at one moment: through the fault's place, and past it; `direct` is absent where there is no way past. */
export type Probe = { through: Answer; direct?: Answer };

/** How to ask so that a fault shows. */
export type Inquiry = {
  /** Size of the answer, and of the question where the protocol has such. */
  bytes: number;
  /** How many questions of that size are put to one connection. */
  questions: number;
  /** The fault shows on new connections only, or is drawn for each anew. */
  needsNewLine: boolean;
  /** What is asked is how soon the other side hangs up. */
  hangsUp: boolean;
  /** So much later than past the fault an answer has to be to tell. */
  lateMs: number;
};

/** `calmMs` is how far answers have been apart without a fault: what is to tell must stand out from that. */
export function inquiryOf(fault: Fault, calmMs: number): Inquiry {
  const needsNewLine = 'toxicity' in fault && fault.toxicity !== undefined;
  const inquiry = { bytes: 1, questions: 1, needsNewLine, hangsUp: false, lateMs: Math.max(quietMs, 5 * calmMs) };
  const late = (expectedMs: number) => Math.max(expectedMs / 2, calmMs);
  switch (fault.kind) {
    case 'slow':
      return { ...inquiry, lateMs: late(toMs(fault.by)) };
    case 'throttle':
      return { ...inquiry, bytes: largeBytes, lateMs: late(largeBytes / fault.kilobytesPerSecond) };
    case 'slice': {
      const pieces = largeBytes / (fault.bytes + (fault.variation ?? 0));
      return { ...inquiry, bytes: largeBytes, lateMs: late(pieces * toMs(fault.pause ?? '0ms')) };
    }
    case 'closeAfter':
      return {
        ...inquiry,
        bytes: largeBytes,
        questions: Math.min(mostQuestions, 2 + Math.ceil(fault.bytes / largeBytes)),
        needsNewLine: true,
      };
    case 'slowClose':
      return { ...inquiry, needsNewLine: true, hangsUp: true, lateMs: late(toMs(fault.by)) };
    case 'reset':
      return { ...inquiry, needsNewLine: true };
    case 'cut':
    case 'silent':
    case 'blackHole':
    case 'kill':
    case 'pause':
    case 'restart':
      return inquiry;
    default:
      return fault satisfies never;
  }
}

/** What shows in a probe that the fault is there, in words; undefined where nothing does. */
export function signOf(fault: Fault, { through, direct }: Probe, { lateMs }: Inquiry): string | undefined {
  // Whoever does not answer past the fault either has troubles of their own.
  if (direct !== undefined && !isHeard(direct)) return undefined;
  const past = direct === undefined ? '' : `, directly ${wordsOf(direct)}`;
  const isLate = through.tookMs - (direct?.tookMs ?? 0) >= lateMs;
  switch (fault.kind) {
    case 'slow':
    case 'throttle':
      return (through.kind === 'answered' || through.kind === 'unanswered') && isLate ? `${wordsOf(through)}${past}` : undefined;
    case 'slice': {
      const pieces = direct?.kind === 'answered' ? direct.pieces : 1;
      if (through.kind === 'answered' && through.pieces > pieces + 1) return `answered in ${through.pieces} pieces, directly in ${pieces}`;
      return fault.pause !== undefined && through.kind !== 'refused' && isLate ? `${wordsOf(through)}${past}` : undefined;
    }
    case 'slowClose':
      if (through.kind === 'unanswered' && isLate) return `not closed within ${roundMs(through.tookMs)} ms${past}`;
      return through.kind === 'closed' && isLate ? `${wordsOf(through)}${past}` : undefined;
    case 'silent':
      if (fault.closesAfter !== undefined && through.kind === 'closed') return 'closed';
      return through.kind === 'unanswered' && isLate ? wordsOf(through) : undefined;
    case 'blackHole':
    case 'pause':
      return through.kind === 'unanswered' && isLate ? wordsOf(through) : undefined;
    case 'reset':
      return through.kind === 'reset' ? 'reset' : undefined;
    case 'cut':
    case 'closeAfter':
    case 'kill':
    case 'restart':
      return through.kind === 'refused' || through.kind === 'closed' || through.kind === 'reset' ? through.kind : undefined;
    default:
      return fault satisfies never;
  }
}

/** Why a fault of such a kind cannot show here, before anything is asked. */
export function doubtOf(fault: Fault, calmMs: number, { bytes }: Inquiry): string | undefined {
  const expectedMs =
    fault.kind === 'slow' || fault.kind === 'slowClose'
      ? toMs(fault.by)
      : fault.kind === 'throttle'
        ? bytes / fault.kilobytesPerSecond
        : Number.POSITIVE_INFINITY;
  return expectedMs < calmMs
    ? `${roundMs(expectedMs)} ms later would not stand out: answers were up to ${roundMs(calmMs)} ms apart without it`
    : undefined;
}

/** Longer than any answer takes that somebody waits for, and short enough for a fault of a second to show. */
const quietMs = 250;
/** As much as fits into 200 pings. */
const largeBytes = 3_400;
const mostQuestions = 300;

const isHeard = ({ kind }: Answer) => kind === 'answered' || kind === 'closed';

function wordsOf({ kind, tookMs }: Answer): string {
  switch (kind) {
    case 'answered':
      return `answered after ${roundMs(tookMs)} ms`;
    case 'unanswered':
      return `no answer within ${roundMs(tookMs)} ms`;
    case 'closed':
      return `closed after ${roundMs(tookMs)} ms`;
    case 'refused':
    case 'reset':
      return kind;
    default:
      return kind satisfies never;
  }
}

const roundMs = (ms: number) => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0));
