import { expect, test } from 'vitest';
import { createLog } from '../../../../chaos/embedded/log.ts';

test('a line is JSON, and what is less grave than asked for is left out', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'warn', write: (line) => lines.push(line), now: () => new Date(0) });
  log.say('info', 'unheard');
  log.say('error', 'heard', { proxy: 'a' });
  expect([log.has('info'), log.has('warn')]).toEqual([false, true]);
  expect(lines).toEqual(['{"level":"error","proxy":"a","time":"1970-01-01T00:00:00.000Z","message":"heard"}\n']);
});
