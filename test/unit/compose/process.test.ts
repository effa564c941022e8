import { expect, test } from 'vitest';
import { lastWords } from '../../../compose/process.ts';

test.each([
  ['nothing', '', ''],
  ['the last two lines where none speaks of an error', 'one\ntwo\nthree\n', 'two | three'],
  ['the error rather than what follows it', '2026 [ERROR] Plugin InnoDB failed\n2026 [Note] bye\n', '2026 [ERROR] Plugin InnoDB failed'],
  [
    'the thrown error of a Node program rather than its stack',
    "node:net:1\n    throw er;\n    ^\n\nError: listen EADDRINUSE: address already in use 127.0.0.1:1\n    at Server.setup (node:net:1)\n  code: 'EADDRINUSE'\n}\n\nNode.js v24.21.0\n",
    'Error: listen EADDRINUSE: address already in use 127.0.0.1:1',
  ],
  [
    'the message within a JSON line',
    '{"level":60,"msg":"could not start","err":{"message":"connect refused"}}\n',
    'could not start: connect refused',
  ],
  ['a line that only looks like JSON', '{"level":60,\n', '{"level":60,'],
])('the last words are %s', (_, log, words) => {
  expect(lastWords(log)).toBe(words);
});

test('long lines are cut', () => {
  expect(lastWords('x'.repeat(1_000))).toHaveLength(241);
});
