import { spawn } from 'node:child_process';
import { signalGroup } from './group.ts';
import { lastWords } from './process.ts';

/**
 * Runs a short program to its end and gives what it printed; all that it started ends with it. Throws an error with its last words when it
 * fails, and the abort reason when `signal` fires, which kills it.
 */
export function outputOf(
  command: string,
  args: readonly string[],
  { env, cwd, signal, onStart }: { env: NodeJS.ProcessEnv; cwd?: string | undefined; signal: AbortSignal; onStart: (pid: number) => void },
): Promise<string> {
  return new Promise((resolve, reject) => {
    // A group of its own: a shell that is killed alone would leave behind what it runs.
    const child = spawn(command, [...args], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    const kill = () => void (child.pid !== undefined && signalGroup(child.pid, 'SIGKILL'));
    const printed = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        printed[name] += chunk;
        if (printed[name].length > mostCharacters) kill();
      });
    }
    signal.addEventListener('abort', kill, { once: true });
    if (child.pid !== undefined) onStart(child.pid);
    child.once('exit', kill);
    child.once('error', reject);
    child.once('close', (code, endedBy) => {
      signal.removeEventListener('abort', kill);
      if (signal.aborted) reject(signal.reason);
      else if (code === 0) resolve(printed.stdout);
      else
        reject(new Error(lastWords(printed.stderr) || lastWords(printed.stdout) || `${command} ended with ${endedBy ?? `code ${code}`}`));
    });
  });
}

const mostCharacters = 64 * 2 ** 20;
