import { toMs, toShare } from '../../core/units.ts';
import type { Direction, Fault } from '../faults.ts';
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
  /** What is drawn for each connection has to be asked for again where it was drawn: so much later an answer is given up. */
  patienceMs: number;
  /** So many signs in a row are needed: whoever has to look closely also sees hiccups. */
  signsInARow: number;
  /** So many answers without a sign are needed: what is drawn anew for each connection, or for each answer, does not always show. */
  finesInARow: number;
};

/** `calmMs` is how far answers have been apart without a fault: what is to tell must stand out from that. */
export function inquiryOf(fault: Fault, calmMs: number): Inquiry {
  const isDrawn = 'toxicity' in fault && fault.toxicity !== undefined;
  const lateMs = Math.max(quietMs, 5 * calmMs);
  const inquiry = {
    ...{ bytes: 1, questions: 1, needsNewLine: isDrawn, hangsUp: false },
    ...{ lateMs, patienceMs: lateMs, signsInARow: 1, finesInARow: finesInARowOf(fault) },
  };
  const late = (expectedMs: number) => {
    const lateAfterMs = Math.max(expectedMs / 2, calmMs);
    return {
      lateMs: lateAfterMs,
      // Whoever logs in waits several times before the question is answered.
      patienceMs: isDrawn ? 8 * lateAfterMs : lateAfterMs,
      signsInARow: Math.max(1, Math.min(5, Math.ceil(quietMs / lateAfterMs))),
    };
  };
  switch (fault.kind) {
    case 'slow':
      return { ...inquiry, ...late(toMs(fault.by)) };
    case 'throttle':
      return { ...inquiry, bytes: largeBytes, ...late(largeBytes / fault.kilobytesPerSecond) };
    case 'slice': {
      const pauseMs = toMs(fault.pause ?? '0ms');
      const pieces = largeBytes / (fault.bytes + (fault.variation ?? 0));
      // Without a pause between them pieces show by their number alone, as often as they are not read as one: more often on a new connection.
      return { ...inquiry, bytes: largeBytes, ...(pauseMs === 0 ? { needsNewLine: true } : late(pieces * pauseMs)) };
    }
    case 'closeAfter':
      return {
        ...inquiry,
        bytes: largeBytes,
        questions: Math.min(mostQuestions, 2 + Math.ceil(fault.bytes / largeBytes)),
        needsNewLine: true,
      };
    case 'slowClose': {
      const asked = { ...inquiry, needsNewLine: true, hangsUp: true, ...late(toMs(fault.by)) };
      // A connection hangs up once: there is no second look at one that was drawn.
      return isDrawn ? { ...asked, patienceMs: asked.lateMs, signsInARow: 1 } : asked;
    }
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

/** As many as leave a chance of one in a hundred that the fault is still on, within reason. */
function finesInARowOf(fault: Fault): number {
  const drawnShare = 'toxicity' in fault ? toShare(fault.toxicity ?? '100%') : 1;
  const missedShare = 1 - drawnShare * shownShareOf(fault);
  if (missedShare <= 0) return 1;
  return missedShare >= 1 ? mostFines : Math.min(mostFines, Math.ceil(Math.log(0.01) / Math.log(missedShare)));
}

/** How often an answer that feels the fault shows it. */
function shownShareOf(fault: Fault): number {
  if (fault.kind === 'slice' && toMs(fault.pause ?? '0ms') === 0) return 0.1;
  if (fault.kind !== 'slow') return 1;
  const [byMs, jitterMs] = [toMs(fault.by), toMs(fault.jitter ?? '0ms')];
  // Delays are spread evenly over twice the jitter; those below half of `by` do not show.
  return jitterMs <= byMs / 2 ? 1 : 1 - (jitterMs - byMs / 2) / (2 * jitterMs);
}

/** The callee did what it was asked for, as far as this line saw. */
export const isHeard = ({ kind }: Answer, { hangsUp }: Pick<Inquiry, 'hangsUp'>): boolean => kind === (hangsUp ? 'closed' : 'answered');

/** What shows in a probe that the fault is there, in words; undefined where nothing does. */
export function signOf(fault: Fault, { through, direct }: Probe, { lateMs, hangsUp }: Inquiry): string | undefined {
  // Whoever does not answer past the fault either has troubles of their own.
  if (direct !== undefined && !isHeard(direct, { hangsUp })) return undefined;
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

/** Why a fault of such a kind can hardly show here, whatever is asked. `hasShortAnswers`: nobody here can be asked for a long one. */
export function doubtOf(
  fault: Fault,
  { calmMs, inquiry, hasShortAnswers }: { calmMs: number; inquiry: Inquiry; hasShortAnswers: boolean },
): string | undefined {
  switch (fault.kind) {
    case 'slow':
    case 'slowClose':
      return drowned(toMs(fault.by));
    case 'throttle':
      return tooShort(fault) ?? drowned(inquiry.bytes / fault.kilobytesPerSecond);
    case 'slice':
      if (tooShort(fault) !== undefined) return tooShort(fault);
      if (fault.bytes + (fault.variation ?? 0) >= largeBytes)
        return `answers of ${largeBytes} bytes are not cut into pieces of ${fault.bytes}`;
      return toMs(fault.pause ?? '0ms') === 0 ? 'pieces that follow each other at once are often read as one' : undefined;
    case 'closeAfter':
      if (fault.bytes > mostQuestions * largeBytes) return `no connection was asked for more than ${mostQuestions * largeBytes} bytes`;
      return tooShort(fault);
    default:
      return undefined;
  }

  function drowned(expectedMs: number): string | undefined {
    if (expectedMs >= calmMs) return undefined;
    return `${roundMs(expectedMs)} ms later would not stand out: answers were up to ${roundMs(calmMs)} ms apart without it`;
  }

  function tooShort({ direction = 'downstream' }: { direction?: Direction }): string | undefined {
    return hasShortAnswers && direction !== 'upstream' ? 'answers are too short here to show it' : undefined;
  }
}

/** Longer than any answer takes that somebody waits for, and short enough for a fault of a second to show. */
const quietMs = 250;
/** As much as fits into 200 pings. */
const largeBytes = 3_400;
const mostQuestions = 300;
/** A fault that is drawn for less than every tenth connection may be taken to be gone too early. */
const mostFines = 44;

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
