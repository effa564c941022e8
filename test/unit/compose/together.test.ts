import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { together } from '../../../compose/together.ts';

const never = new AbortController().signal;

test('gives all results in order', async () => {
  const late = async () => {
    await turn();
    return 'late';
  };
  expect(await together(never, [late, async () => 'early'])).toEqual(['late', 'early']);
});

test('tells the others to give up and throws the first failure only after they have', async () => {
  const seen: string[] = [];
  const slow = async (signal: AbortSignal) => {
    while (!signal.aborted) await turn();
    await turn();
    seen.push('slow gave up');
    throw signal.reason;
  };
  const failing = async () => {
    throw new Error('no port');
  };
  await expect(together(never, [slow, failing])).rejects.toThrow('no port');
  expect(seen).toEqual(['slow gave up']);
});

test('an abort from outside reaches all', async () => {
  const abort = new AbortController();
  const waiting = async (signal: AbortSignal) => {
    while (!signal.aborted) await turn();
    signal.throwIfAborted();
  };
  const both = together(abort.signal, [waiting, waiting]);
  abort.abort(new Error('stopped'));
  await expect(both).rejects.toThrow('stopped');
});
