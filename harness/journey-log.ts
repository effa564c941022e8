import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import { messageOf } from '../core/errors.ts';
import { mostPrintedBytes } from './drivers/printing.ts';

/** What journeys print, on its way from the load generator to a file. */
export type JourneyLog = {
  /** Takes what came, cut anywhere. */
  take: (text: string) => void;
  /** Tells how much it was; nothing where nothing came. */
  end: () => void;
};

/**
 * Keeps the first MiB of what journeys print, in a file that is made when the first of it comes. Whoever watches is told then, and at the end. A
 * file that cannot be written to is told of, and costs no run.
 */
export function createJourneyLog({
  file,
  note,
  append = appendFileSync,
  mostBytes = mostPrintedBytes,
}: {
  file: string;
  note: (line: string) => void;
  append?: (file: string, text: string) => void;
  mostBytes?: number;
}): JourneyLog {
  const shown = relative(process.cwd(), file);
  let state: 'empty' | 'open' | 'full' | 'failed' = 'empty';
  let bytes = 0;
  let lineEnds = 0;
  let isWithinLine = false;

  return {
    take(text) {
      if (text === '') return;
      if (state === 'empty') {
        state = 'open';
        note(`the journey prints, see ${shown}`);
      }
      if (state === 'open') keep(text);
    },
    end() {
      const lines = lineEnds + (isWithinLine ? 1 : 0);
      if (state === 'open') note(`the journey printed ${lines} ${lines === 1 ? 'line' : 'lines'}, see ${shown}`);
      if (state === 'full') note(`the journey printed too much to keep all of it, see the beginning in ${shown}`);
    },
  };

  function keep(text: string): void {
    const room = mostBytes - bytes;
    bytes += Buffer.byteLength(text);
    lineEnds += lineEndsIn(text);
    isWithinLine = !text.endsWith('\n');
    if (bytes > mostBytes) state = 'full';
    try {
      append(file, state === 'open' ? text : `${beginOf(text, room)}\n… the rest was left out\n`);
    } catch (cause) {
      state = 'failed';
      note(`what the journey prints could not be written to ${shown}: ${messageOf(cause)}`);
    }
  }
}

function lineEndsIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

/** As many whole characters as have room in so many bytes. */
const beginOf = (text: string, bytes: number) => new TextDecoder().decode(Buffer.from(text).subarray(0, bytes), { stream: true });
