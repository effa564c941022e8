import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { boundPrinting } from '../../../../harness/drivers/printing.ts';

test('what is printed goes its way until it is more than the bound, and whoever reads sees that it is', () => {
  const { streams, written } = bounded(10);
  const [out, error] = streams;
  out.write('12345\n');
  error.write(Buffer.from('1234'));
  out.write('now it is more\n');
  out.write('gone');
  error.write('gone');
  expect(written).toEqual(['out: 12345\n', 'error: 1234', 'out: now it is more\n']);
});

test('whoever waits until it is written is called, also of what went nowhere', async () => {
  const { streams } = bounded(3);
  const [out] = streams;
  for (const text of ['12345', 'gone']) await new Promise<unknown>((resolve) => out.write(text, resolve));
  await new Promise<unknown>((resolve) => out.write('gone', 'utf8', resolve));
  expect(out.write('gone')).toBe(true);
});

function bounded(mostCharacters: number) {
  const written: string[] = [];
  const streams = ['out', 'error'].map(
    (name) =>
      new Writable({
        write(chunk, _encoding, onWritten) {
          written.push(`${name}: ${chunk}`);
          onWritten();
        },
      }),
  ) as [Writable, Writable];
  boundPrinting({ streams, mostCharacters });
  return { streams, written };
}
