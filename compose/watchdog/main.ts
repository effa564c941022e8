import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { startedAt } from '../../core/started.ts';
import { monotonic } from '../../core/time.ts';
import { signalGroup } from '../group.ts';
import type { WatchdogMessage } from './messages.ts';

// Lives as long as the pipe from the harness is open. A pipe that closes without a goodbye means that the harness was killed.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const processes = new Map<number, string | undefined>();
const folders = new Set<string>();
let isDismissed = false;

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as WatchdogMessage;
  if (message.kind === 'guardProcess') processes.set(message.pid, message.startedAt);
  else if (message.kind === 'release') processes.delete(message.pid);
  else if (message.kind === 'guardFolder') folders.add(message.path);
  else isDismissed = true;
}
if (!isDismissed) await cleanUp();

async function cleanUp() {
  const guarded = living();
  for (const pid of guarded) {
    signalGroup(pid, 'SIGTERM');
    // A paused process hears SIGTERM only once it runs again.
    signalGroup(pid, 'SIGCONT');
  }
  const graceEnds = monotonic() + 1_500;
  while (living().length > 0 && monotonic() < graceEnds) await sleep(25);
  // Also where the process itself has gone: something it started may not have listened.
  for (const pid of guarded) signalGroup(pid, 'SIGKILL');
  const deathIsDue = monotonic() + 1_000;
  while (living().length > 0 && monotonic() < deathIsDue) await sleep(25);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** Those still alive and still the processes that were named: an id with another start time belongs to a stranger. */
function living(): number[] {
  return [...processes].flatMap(([pid, started]) => (isSame(pid, started) ? [pid] : []));
}

function isSame(pid: number, started: string | undefined): boolean {
  if (started !== undefined) return startedAt(pid) === started;
  if (process.platform === 'linux') return false;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
