import type { WriteStream } from 'node:tty';
import { withoutControls } from '../core/controls.ts';
import { type Live, liveBlock, liveLine } from './live.ts';

/**
 * Where a run is watched. On a terminal a few live lines are rewritten in place, and all else is printed above them; elsewhere (a pipe, CI) every
 * fifth second gets a line of its own, and the first of a phase and of a silence.
 */
export type Terminal = {
  colour: boolean;
  width: number;
  /** A new step of the run; what was live in the one before is over. */
  step: (title: string) => void;
  note: (line: string) => void;
  second: (live: Live) => void;
  /** Clears the live lines and shows the cursor again; what follows is printed below. May be called at any time, and again. */
  end: () => void;
};

/**
 * Between two writes the cursor rests on the first of the live lines, hidden. From there everything below can be erased without knowing how many
 * rows it takes: a terminal that is made narrower while we sleep may have wrapped them.
 */
export function createTerminal({
  stream,
  now,
  isCi,
}: {
  stream: Pick<WriteStream, 'write'> & Partial<WriteStream>;
  now: () => number;
  isCi: boolean;
}): Terminal {
  const isLive = stream.isTTY === true && !isCi && process.env.TERM !== 'dumb';
  const colour = isLive && (stream.hasColors?.() ?? false) && (process.env.NO_COLOR ?? '') === '';
  const startMs = now();
  let shown: Live | undefined;
  let seconds = 0;
  let phase = '';
  let wasSilent = false;

  return {
    colour,
    // Some pseudo terminals say 0 until somebody tells them better.
    width: stream.columns || usualColumns,
    step(title) {
      const erased = erase();
      print(title, erased);
    },
    note: (text) => print(`  ${text}`),
    second(live) {
      const isSilent = live.silentMs !== undefined;
      seconds = live.phase === phase && isSilent === wasSilent ? seconds + 1 : 0;
      [phase, wasSilent] = [live.phase, isSilent];
      if (!isLive) {
        if (seconds % 5 === 0) print(`  ${liveLine(live)}`);
        return;
      }
      if (shown === undefined) stream.on?.('resize', redraw);
      shown = live;
      redraw();
    },
    end() {
      const erased = erase();
      if (erased !== '') stream.write(erased);
    },
  };

  /** One write each, so that nothing of another can come between erasing and drawing. */
  function print(text: string, erased = shown === undefined ? '' : toErase): void {
    const line = `${((now() - startMs) / 1_000).toFixed(1).padStart(6)} s  ${withoutControls(text)}\n`;
    stream.write(`${erased}${line}${drawn()}`);
  }

  function redraw(): void {
    stream.write(drawn());
  }

  function erase(): string {
    if (shown === undefined) return '';
    shown = undefined;
    stream.off?.('resize', redraw);
    return toErase + cursor.show;
  }

  /** Each line over the one that was there, so that nothing flickers. The last column stays free, where a terminal would begin a new line. */
  function drawn(): string {
    if (shown === undefined) return '';
    const [columns, rows] = [stream.columns || usualColumns, stream.rows || usualRows];
    // What does not fit on the screen would scroll away, out of the cursor's reach.
    const lines = liveBlock(shown, { colour, width: columns - 1 }).slice(-Math.max(1, rows - 1));
    const text = lines.map((line) => line + cursor.eraseLine).join('\r\n');
    const back = lines.length > 1 ? cursor.up(lines.length - 1) : '';
    return `${cursor.hide}${wrapping.off}\r${text}${cursor.eraseBelow}${back}\r${wrapping.on}`;
  }
}

const [usualColumns, usualRows] = [80, 24];
/** https://invisible-island.net/xterm/ctlseqs/ctlseqs.html */
const cursor = {
  hide: '\u001b[?25l',
  show: '\u001b[?25h',
  up: (lines: number) => `\u001b[${lines}A`,
  eraseLine: '\u001b[K',
  eraseBelow: '\u001b[J',
};
/** Should a font make a character wider than the standard does, its line is cut, not wrapped. */
const wrapping = { off: '\u001b[?7l', on: '\u001b[?7h' };
const toErase = `\r${cursor.eraseBelow}`;
