import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from '../../core/time.ts';

export const root = join(import.meta.dirname, '../..');

/** Starts `node cli.ts …` as a user would, with a temporary folder and a mark of its own by which everything it leaves is found. */
export function startCli(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const mark = `STAMPEDE_TEST_MARK=${randomUUID()}`;
  const temporary = mkdtempSync(join(tmpdir(), 'stampede-cli-'));
  const [name = '', value] = mark.split('=');
  const child = spawn(process.execPath, [join(root, 'cli.ts'), ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1', ...env, [name]: value, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));

  return {
    pid: child.pid ?? 0,
    output: () => output,
    /** The exit code, or the name of the signal. */
    exited,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** Closes our end of its output, as `head` does. */
    stopReading: () => child.stdout.destroy(),
    /** Resolves when this has been printed. */
    printed: (text: string, timeoutMs = 60_000) =>
      waitUntil({ timeoutMs, describe: () => `'${text}' was not printed, but:\n${output}` }, () => output.includes(text) || undefined),
    /** What is left of it: command lines of processes, and names in its temporary folder. */
    remains: () => ({ processes: markedProcesses(mark), files: readdirSync(temporary) }),
    clean: () => rmSync(temporary, { recursive: true, force: true }),
  };
}

/** Every process that inherited the mark, whoever its parent is by now. */
function markedProcesses(mark: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark)) return [];
        return [readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()];
      } catch {
        // It ended while we looked, or is not ours to look at.
        return [];
      }
    });
}
