import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { startedAt } from '../core/started.ts';
import type { WatchdogMessage } from './watchdog/messages.ts';

export type Watchdog = {
  /** To be ended, with all it has started, should the harness be killed. It must lead a group. Call it as soon as the process has started. */
  guardProcess: (pid: number) => void;
  /** The process has ended; its id may soon belong to a stranger. */
  release: (pid: number) => void;
  /** To be removed should the harness be killed. */
  guardFolder: (path: string) => void;
  /** The harness has cleaned up by itself; the watchdog ends. */
  close: () => Promise<void>;
};

/**
 * Starts the process that cleans up after the harness when the harness itself is killed and cannot: within 5 s all guarded processes
 * are ended and all guarded folders removed. It notices by the end of a pipe, which the kernel closes however the harness ends.
 */
export async function startWatchdog(): Promise<Watchdog> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./watchdog/main.ts', import.meta.url))], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    // Options of a debugger or a test runner are meant for the harness, not for this process.
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  await once(child, 'spawn');
  const ended = once(child, 'exit');
  // A run goes on without its watchdog if somebody ends that; the safety net is gone, the run is not.
  child.stdin.on('error', () => undefined);
  child.unref();
  (child.stdin as Socket).unref();
  const tell = (message: WatchdogMessage) => void (child.stdin.writable && child.stdin.write(`${JSON.stringify(message)}\n`));

  return {
    guardProcess(pid) {
      const started = startedAt(pid);
      tell({ kind: 'guardProcess', pid, ...(started === undefined ? {} : { startedAt: started }) });
    },
    release: (pid) => tell({ kind: 'release', pid }),
    guardFolder: (path) => tell({ kind: 'guardFolder', path }),
    async close() {
      tell({ kind: 'goodbye' });
      child.stdin.end();
      child.ref();
      await ended;
    },
  };
}
