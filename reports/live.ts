import { withoutControls } from '../core/controls.ts';
import { type RequestOutcome, requestOutcomes } from '../harness/record.ts';
import { formatCount, formatMoment, formatMs, outcomeWords } from './format.ts';
import { formatMeasured, type Measured } from './html/distribution.ts';
import { painter, type Style } from './paint.ts';
import { cutToWidth, displayWidth } from './width.ts';

/** What one second of a run looks like while it happens; the load driver and the fault schedule know all of it. */
export type Live = {
  /** The whole timeline, phase by phase, with the stretches in which faults are planned to be on. Milliseconds since its start. */
  phases: readonly LivePhase[];
  /** Name of the phase that is being played. */
  phase: string;
  elapsedMs: number;
  totalMs: number;
  /** Requests of the last second: those that were due, and those that left. */
  plannedPerSecond: number;
  sentPerSecond: number;
  inFlight: number;
  /** Of those who were served in the last second or gave up; absent where there were none. */
  latencyMs?: { p50: Measured; p99: Measured };
  /** How late the load generator itself was at most; absent where it does not say. */
  lagMsMax?: number;
  /** For how long a part of the load generator has not answered; absent where all of it does. */
  silentMs?: number;
  /** How the last second's requests ended. */
  outcomes: Partial<Record<RequestOutcome, number>>;
  /** Sentences of the faults that are on. */
  faults: readonly string[];
};
export type LivePhase = { name: string; fromMs: number; untilMs: number; faults: readonly { fromMs: number; untilMs: number }[] };

/**
 * A second of the run in four lines, none wider than `width`: the names of the phases over a bar of the timeline, the pace, and how requests ended
 * with the faults that are on. What matters least is left out first.
 */
export function liveBlock(live: Live, { colour, width }: { colour: boolean; width: number }): string[] {
  const clock = ` ${formatMoment(live.elapsedMs)}/${formatMoment(live.totalMs)}`;
  const barWidth = Math.max(0, width - clock.length);
  const ending = withFaults(live, width);
  return [
    painted(namesOver(live, barWidth), colour),
    painted([...barOf(live, barWidth), plain(cutToWidth(clock, width))], colour),
    painted(joined(fitted(paceParts(live), width)), colour),
    painted(ending, colour),
  ];
}

/** The same on one line of any length and without colour, for what has no cursor to move. */
export function liveLine(live: Live): string {
  const { phase, elapsedMs, totalMs, faults } = live;
  const when = `${formatMoment(elapsedMs)}/${formatMoment(totalMs)}`;
  const parts = [plain(withoutControls(phase)), plain(when), ...paceParts(live), ...worstOf(troublesOf(live)), ...faults.map(faultPart)];
  return painted(joined(parts), false);
}

type Piece = { text: string; style: Style };
type Part = Piece & { matters: number };

const separator = ' · ';
const plain = (text: string): Piece => ({ text, style: 'reset' });

function painted(pieces: readonly Piece[], colour: boolean): string {
  const paint = painter(colour);
  return pieces.map(({ text, style }) => (text === '' ? '' : paint(style, text))).join('');
}

const joined = (parts: readonly Piece[]): Piece[] => parts.flatMap((part, index) => (index === 0 ? [part] : [plain(separator), part]));

/** What matters most, cut if it must be, and whatever still fits beside it. */
function fitted(parts: readonly Part[], width: number): Part[] {
  const [first, ...others] = parts.toSorted((a, b) => b.matters - a.matters);
  if (first === undefined) return [];
  const kept = new Set([first]);
  for (const part of others) if (widthOf([...kept, part]) <= width) kept.add(part);
  return parts.filter((part) => kept.has(part)).map((part) => ({ ...part, text: cutToWidth(part.text, width) }));
}

const widthOf = (parts: readonly Piece[]) => joined(parts).reduce((sum, { text }) => sum + displayWidth(text), 0);

function paceParts(live: Live): Part[] {
  const { latencyMs, lagMsMax, silentMs } = live;
  // Beside it, what the others tell would look like all there is.
  if (silentMs !== undefined) return [{ text: silence(silentMs), style: 'yellow', matters: 0 }];
  const isLate = lagMsMax !== undefined && lagMsMax > readableLagMs;
  const { coming, going } = trafficOf(live);
  return [
    coming,
    { ...plain(`p50 ${latencyMs === undefined ? '–' : formatMeasured(latencyMs.p50)}`), matters: 3 },
    { ...plain(`p99 ${latencyMs === undefined ? '–' : formatMeasured(latencyMs.p99)}`), matters: 6 },
    ...going,
    ...(lagMsMax === undefined
      ? []
      : [
          {
            text: `generator ${formatMs(lagMsMax)} late`,
            style: isLate ? ('yellow' as const) : ('reset' as const),
            matters: isLate ? 6.5 : 1,
          },
        ]),
  ];
}

const silence = (ms: number) => `the load has given no sign for ${Math.round(ms / 1_000)} s: does a journey compute without awaiting?`;

/** When a phase is over its last visitors may still be at it. */
function trafficOf({ phases, phase, elapsedMs, totalMs, plannedPerSecond, sentPerSecond, inFlight }: Live): {
  coming: Part;
  going: Part[];
} {
  const untilMs = phases.find(({ name }) => name === phase)?.untilMs ?? totalMs;
  if (elapsedMs >= untilMs && plannedPerSecond === 0 && inFlight > 0)
    return { coming: { ...plain(`waiting for the last ${formatCount(inFlight)}`), matters: 7 }, going: [] };
  return {
    coming: { ...plain(`sent ${formatCount(sentPerSecond)} of ${formatCount(plannedPerSecond)}/s`), matters: 7 },
    going: [{ ...plain(`${formatCount(inFlight)} under way`), matters: 4 }],
  };
}

/** A few milliseconds are how timers are on a busy machine; more makes the numbers beside it doubtful. */
const readableLagMs = 5;

/** What did not end with the answer that a shopper came for, the commonest first. */
function troublesOf({ outcomes }: Live): Piece[] {
  return requestOutcomes
    .filter((outcome) => outcome !== 'ok' && (outcomes[outcome] ?? 0) > 0)
    .toSorted((a, b) => (outcomes[b] ?? 0) - (outcomes[a] ?? 0))
    .map((outcome) => ({ text: `${outcomeWords[outcome]} ${formatCount(outcomes[outcome] ?? 0)}`, style: 'yellow' }));
}

/** The commonest three, and a sign where there are more. */
const worstOf = (troubles: readonly Piece[]): Piece[] => (troubles.length > 3 ? [...troubles.slice(0, 3), plain('…')] : [...troubles]);

const faultPart = (sentence: string): Piece => ({ text: `! ${withoutControls(sentence)}`, style: 'magenta' });

/** Outcomes and faults share a line; neither takes more than half of it from the other. */
function withFaults(live: Live, width: number): Piece[] {
  const { ok = 0 } = live.outcomes;
  const troubles = troublesOf(live).map((part, index) => ({ ...part, matters: -index }));
  // Of what the line has no room for, all is well goes after the two commonest troubles.
  const outcomes: Part[] = [...(ok > 0 ? [{ ...plain(`ok ${formatCount(ok)}`), matters: -1.5 }] : []), ...troubles];
  if (outcomes.length === 0) outcomes.push({ ...plain('no request ended'), matters: 0 });
  if (live.faults.length === 0 || width < leastForBoth) return joined(fitted(outcomes, width));
  const roomForOutcomes = Math.max(Math.floor(width / 2), width - separator.length - widthOf(live.faults.map(faultPart)));
  const kept = fitted(outcomes, roomForOutcomes);
  return joined([...kept, ...fittedFaults(live.faults, width - widthOf(kept) - separator.length)]);
}

/** The first ones in full and the number of the others; where not even one fits, as much of it as does. */
function fittedFaults(sentences: readonly string[], width: number): Piece[] {
  const parts = sentences.map(faultPart);
  const others = (kept: number) => (kept < parts.length ? [{ text: `+${parts.length - kept}`, style: 'magenta' as const }] : []);
  let kept = 0;
  while (kept < parts.length && widthOf([...parts.slice(0, kept + 1), ...others(kept + 1)]) <= width) kept += 1;
  if (kept > 0) return [...parts.slice(0, kept), ...others(kept)];
  const [first = plain('')] = parts;
  const rest = others(1);
  const room = width - widthOf(rest) - (rest.length === 0 ? 0 : separator.length);
  return room < leastReadable
    ? [{ ...first, text: cutToWidth(`! ${parts.length}`, width) }]
    : [{ ...first, text: cutToWidth(first.text, room) }, ...rest];
}

/** Columns below which a cut text says nothing, and below which outcomes leave nothing to faults. */
const [leastReadable, leastForBoth] = [4, 16];

/** Each name stands where its phase begins on the bar. That of the current phase is whole and marked, its neighbours make room for it. */
function namesOver({ phases, phase, totalMs }: Live, width: number): Piece[] {
  const begins = phases.map(({ fromMs }) => columnOf(fromMs, totalMs, width));
  const now = phases.findIndex(({ name }) => name === phase);
  const current = cutToWidth(`▸${withoutControls(phase)}`, width);
  const currentAt = Math.max(0, Math.min(begins[now] ?? 0, width - displayWidth(current)));
  const currentEnd = currentAt + displayWidth(current);

  const line: Piece[] = [];
  let column = 0;
  const write = (at: number, piece: Piece) => {
    line.push(plain(' '.repeat(Math.max(0, at - column))), piece);
    column = at + displayWidth(piece.text);
  };
  for (const [index, { name }] of phases.entries()) {
    if (index === now) {
      write(currentAt, { text: current, style: 'bold' });
      continue;
    }
    const at = index > now ? Math.max(begins[index] ?? 0, currentEnd + 1) : (begins[index] ?? 0);
    const nextAt = index + 1 === phases.length ? width + 1 : (begins[index + 1] ?? width);
    const room = (index < now ? Math.min(nextAt, currentAt) : nextAt) - 1 - at;
    const shown = withoutControls(name);
    const text = cutToWidth(shown, room);
    if (text === shown || room >= leastReadable) write(at, { text, style: 'dim' });
  }
  return now === -1 ? [{ text: current, style: 'bold' }] : line;
}

/** What is over is heavy, what is to come light; `!` is where a fault is on, `┃` where a phase begins, and the arrow is now. */
function barOf({ phases, phase, elapsedMs, totalMs }: Live, width: number): Piece[] {
  const begins = new Set(phases.slice(1).map(({ fromMs }) => columnOf(fromMs, totalMs, width)));
  const faults = phases.flatMap((planned) => planned.faults);
  const current = phases.find(({ name }) => name === phase);
  const now = Math.min(columnOf(elapsedMs, totalMs, width), width - 1);
  const cells = Array.from({ length: width }, (_, column): Piece => {
    const [fromMs, untilMs] = [(column * totalMs) / width, ((column + 1) * totalMs) / width];
    const isFaulty = faults.some((fault) => fault.fromMs < untilMs && (fault.untilMs > fromMs || fault.fromMs >= fromMs));
    const isOfCurrent = current !== undefined && fromMs >= current.fromMs && fromMs < current.untilMs;
    const style = isFaulty ? 'magenta' : isOfCurrent ? 'cyan' : column < now ? 'green' : 'dim';
    if (column === now) return { text: '▸', style: 'bold' };
    if (begins.has(column)) return { text: '┃', style: 'reset' };
    return { text: isFaulty ? '!' : column < now ? '━' : '─', style };
  });
  // One change of colour for each stretch of it.
  const stretches: Piece[] = [];
  for (const { text, style } of cells) {
    const last = stretches.at(-1);
    if (last?.style === style) last.text += text;
    else stretches.push({ text, style });
  }
  return stretches;
}

const columnOf = (atMs: number, totalMs: number, width: number) => (totalMs > 0 ? Math.floor((Math.max(0, atMs) / totalMs) * width) : 0);
