import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createJourneyLog } from '../../../harness/journey-log.ts';

const file = join(process.cwd(), 'runs', 'one', 'logs', 'journey.log');
const shown = 'runs/one/logs/journey.log';

test('what is printed is kept as it came, and told when the first of it comes and at the end', () => {
  const { log, kept, notes } = opened();
  log.take('looking');
  expect(notes).toEqual([`the journey prints, see ${shown}`]);
  log.take(' for a seat\nfound');
  log.take(' one\n');
  log.end();
  expect(kept.join('')).toBe('looking for a seat\nfound one\n');
  expect(notes.slice(1)).toEqual([`the journey printed 2 lines, see ${shown}`]);
});

test('where nothing is printed no file is made, and nothing is told', () => {
  const { log, kept, notes } = opened();
  log.take('');
  log.end();
  expect([kept, notes]).toEqual([[], []]);
});

test.each([
  ['one', 'the journey printed 1 line, see'],
  ['one\n', 'the journey printed 1 line, see'],
  ['\n', 'the journey printed 1 line, see'],
  ['one\ntwo', 'the journey printed 2 lines, see'],
])('%j is counted', (text, told) => {
  const { log, notes } = opened();
  log.take(text);
  log.end();
  expect(notes.at(-1)).toBe(`${told} ${shown}`);
});

test('what goes beyond the bound is left out, and the file says so once', () => {
  const { log, kept, notes } = opened({ mostBytes: 10 });
  log.take('12345\n');
  log.take('12345\n');
  log.take('12345\n');
  log.end();
  expect(kept.join('')).toBe('12345\n1234\n… the rest was left out\n');
  expect(notes.at(-1)).toBe(`the journey printed too much to keep all of it, see the beginning in ${shown}`);
});

test('what fills the bound exactly is whole', () => {
  const { log, kept, notes } = opened({ mostBytes: 10 });
  log.take('123456789\n');
  log.end();
  expect(kept).toEqual(['123456789\n']);
  expect(notes.at(-1)).toBe(`the journey printed 1 line, see ${shown}`);
});

test('however it comes, no more is kept than the bound and the line that says so, and no character is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.integer({ min: 0, max: 50 }), (texts, mostBytes) => {
      const { log, kept } = opened({ mostBytes });
      for (const text of texts) log.take(text);
      const all = texts.join('');
      const [begin = '', ...rest] = kept.join('').split('\n… the rest was left out');
      expect(Buffer.byteLength(begin)).toBeLessThanOrEqual(mostBytes);
      expect(all.startsWith(begin)).toBe(true);
      expect(rest.length).toBe(Buffer.byteLength(all) > mostBytes ? 1 : 0);
      if (rest.length === 0) expect(begin).toBe(all);
    }),
  );
});

test('a file that cannot be written to is told of once, and nothing else is tried', () => {
  let tries = 0;
  const { log, notes } = opened({
    append: () => {
      tries += 1;
      throw new Error('no space left');
    },
  });
  log.take('one\n');
  log.take('two\n');
  log.end();
  expect(tries).toBe(1);
  expect(notes.slice(1)).toEqual([`what the journey prints could not be written to ${shown}: no space left`]);
});

function opened(options: Partial<Parameters<typeof createJourneyLog>[0]> = {}) {
  const kept: string[] = [];
  const notes: string[] = [];
  const log = createJourneyLog({ file, note: (line) => notes.push(line), append: (_, text) => void kept.push(text), ...options });
  return { log, kept, notes };
}
