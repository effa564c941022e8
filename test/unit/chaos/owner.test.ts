import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { isOrphan, ownPrefix } from '../../../chaos/owner.ts';

test('a proxy of a process that lives is nobody else’s to take away', () => {
  expect(isOrphan(`${ownPrefix()}orders->payment.1`)).toBe(false);
  expect(isOrphan(`${ownPrefix(process.ppid)}orders->payment.1`)).toBe(false);
});

test.each([
  ['a process that is gone', `stampede:${hostname()}:4194305:12:orders->payment.1`],
  ['an earlier process of the same number', `stampede:${hostname()}:${process.pid}:1:orders->payment.1`],
])('a proxy of %s is an orphan', (_case, name) => {
  expect(isOrphan(name)).toBe(true);
});

test.each([
  'orders->payment.1',
  'stampede:',
  `stampede:elsewhere:4194305:12:x`,
  `stampede:${hostname()}:`,
  `stampede:${hostname()}:me:12:x`,
  `stampede:${hostname()}:-1:12:x`,
  `stampede:${hostname()}:1/../1:12:x`,
  `stampede:${hostname()}:4194305`,
  `stampede:${hostname()}:4194305:later:x`,
  `stampede:${hostname()}x:4194305:12:x`,
  `Stampede:${hostname()}:4194305:12:x`,
  ` stampede:${hostname()}:4194305:12:x`,
  '',
])('a stranger named %j is left alone', (name) => {
  expect(isOrphan(name)).toBe(false);
});

test('a process that could not tell when it began may still live', () => {
  expect(isOrphan(`stampede:${hostname()}:${process.pid}::orders->payment.1`)).toBe(false);
  expect(isOrphan(`stampede:${hostname()}:4194305::orders->payment.1`)).toBe(false);
});
