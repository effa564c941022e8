import { spawn } from 'node:child_process';
import { answerCalls } from '../../../harness/drivers/child.ts';

/** Says what it is asked to say, on both streams; dies with a defect, or leaves somebody behind who holds its output open. */
answerCalls({
  say: (text: string) => {
    process.stdout.write(`out: ${text}`);
    process.stderr.write(`error: ${text}`);
  },
  die: () => {
    setImmediate(() => {
      throw new Error('this was not to be');
    });
    return new Promise(() => undefined);
  },
  leaveBehind: () => spawn('sleep', ['600'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true }).pid,
});
