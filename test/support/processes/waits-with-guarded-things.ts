// A harness in small: starts a watchdog, then a polite and a deaf process, a paused one and a folder, has them guarded, prints them as JSON and waits
// to be killed. With `goodbye` as its argument it releases the first process, dismisses the watchdog and ends by itself.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWatchdog } from '../../../compose/watchdog.ts';
import { waitUntil } from '../../../core/time.ts';

const watchdog = await startWatchdog();
const folder = mkdtempSync(join(tmpdir(), 'stampede-guarded-'));
watchdog.guardFolder(folder);
writeFileSync(join(folder, 'data'), 'x');

const deafened = join(folder, 'deaf');
const polite = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
const deaf = spawn(process.execPath, [join(import.meta.dirname, 'ignores-sigterm.ts'), deafened], { detached: true, stdio: 'ignore' });
const paused = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
const pids = [polite, deaf, paused].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
for (const pid of pids) watchdog.guardProcess(pid);
paused.kill('SIGSTOP');
await waitUntil({ timeoutMs: 10_000, describe: () => 'the deaf process did not start' }, () => existsSync(deafened));

if (process.argv[2] === 'goodbye') await watchdog.close();
console.log(JSON.stringify({ pids, folder }));
if (process.argv[2] === 'goodbye') process.exit(0);
setInterval(() => undefined, 1_000);
