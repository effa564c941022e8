import { expect, onTestFinished, test } from 'vitest';
import { startChild } from '../../../../harness/drivers/child.ts';

type Calls = { say: (text: string) => void; die: () => Promise<never>; leaveBehind: () => number };

test('all that a child prints has come when it is closed, however much, and no character is cut', async () => {
  const { child, printed } = start();
  const text = `${'žluťoučký kůň '.repeat(100_000)}\n`;
  await child.call('say', text);
  await child.close();
  expect(printed.join('').length).toBe('out: '.length + 'error: '.length + 2 * text.length);
  expect(printed.join('')).not.toContain('\uFFFD');
});

test('a child that dies of a defect says its last words, and they are among what it printed', async () => {
  const { child, printed } = start();
  await child.call('say', 'so far so good\n');
  await expect(child.call('die')).rejects.toThrow(
    /^The talker ended with code 1 before its work was done\nerror: so far so good\n.*Error: this was not to be\n/s,
  );
  await child.close();
  expect(printed.join('')).toContain('out: so far so good\n');
  expect(printed.join('')).toContain('Error: this was not to be\n');
});

test('a child that leaves somebody behind who holds its output open is closed all the same', async () => {
  const { child, printed } = start();
  const pid = await child.call('leaveBehind');
  onTestFinished(() => void process.kill(pid, 'SIGKILL'));
  await child.call('say', 'farewell\n');
  await child.close();
  expect(printed.toSorted()).toEqual(['error: farewell\n', 'out: farewell\n']);
});

function start() {
  const printed: string[] = [];
  const child = startChild<Calls>({
    name: 'talker',
    file: new URL('../../../support/processes/prints-and-dies.ts', import.meta.url),
    signal: new AbortController().signal,
    onPrinted: (text) => printed.push(text),
  });
  return { child, printed };
}
