import type { WriteStream } from 'node:tty';
import { type Live, liveLine } from './console.ts';

/** Where a run is watched. On a terminal the live line is rewritten in place; elsewhere (a pipe, CI) every fifth second gets a line of its own. */
type Terminal = {
  colour: boolean;
  width: number;
  /** A new step of the run. */
  step: (title: string) => void;
  note: (line: string) => void;
  second: (live: Live) => void;
  /** Clears the live line; what follows is printed below. */
  end: () => void;
};

export function createTerminal({
  stream,
  now,
  isCi,
}: {
  stream: Pick<WriteStream, 'write'> & Partial<WriteStream>;
  now: () => number;
  isCi: boolean;
}): Terminal {
  const isLive = stream.isTTY === true && !isCi;
  const colour = isLive && (stream.hasColors?.() ?? false) && process.env.NO_COLOR === undefined;
  const width = stream.columns ?? 120;
  const startMs = now();
  const clear = () => {
    if (isLive) stream.write('\r\u001b[K');
  };
  const line = (text: string) => {
    clear();
    stream.write(`${((now() - startMs) / 1_000).toFixed(1).padStart(6)} s  ${text}\n`);
  };
  let seconds = 0;
  let phase = '';

  return {
    colour,
    width,
    step: line,
    note: (text) => line(`  ${text}`),
    second(live) {
      const isNewPhase = live.phase !== phase;
      phase = live.phase;
      seconds = isNewPhase ? 0 : seconds + 1;
      if (isLive) {
        clear();
        stream.write(liveLine(live, { colour, width: width - 1 }));
      } else if (seconds % 5 === 0) line(`  ${liveLine(live, { colour, width: Number.POSITIVE_INFINITY })}`);
    },
    end: clear,
  };
}
