import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Workload } from '../../../bench/truth/contestant.ts';
import { autocannonClosed } from '../../../bench/truth/contestants/autocannon.ts';
import { type Command, onPath, runCommand } from '../../../bench/truth/contestants/command.ts';
import { everyone } from '../../../bench/truth/contestants/contestants.ts';
import { k6 } from '../../../bench/truth/contestants/k6.ts';
import { ours } from '../../../bench/truth/contestants/ours.ts';
import { startedAt } from '../../../core/started.ts';
import { waitUntil } from '../../../core/time.ts';

let arrived = 0;
const server = createServer((_request, response) => {
  arrived += 1;
  setTimeout(() => response.end('ok'), 20);
});
/** The temporary folder of this file alone: whoever else runs here has folders of the same name. */
let temporary = '';
const { TMPDIR } = process.env;
beforeAll(async () => {
  temporary = mkdtempSync(join(tmpdir(), 'contestants-test-'));
  process.env.TMPDIR = temporary;
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.close();
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  rmSync(temporary, { recursive: true });
});
beforeEach(() => {
  arrived = 0;
});

const workload = (change: Partial<Workload> = {}): Workload => ({
  url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
  ...{ lastsMs: 1_000, ratePerSecond: 50, arrivals: 'uniform', connections: 10, timeoutMs: 1_000 },
  ...change,
});
const never = new AbortController().signal;
const others = [...everyone.filter((one) => one !== ours), autocannonClosed];
const present = new Set<string>();
for (const { name, version } of others) if ((await version()) !== undefined) present.add(name);

test('autocannon is always there', () => {
  expect([...present]).toEqual(expect.arrayContaining(['autocannon', 'autocannon, uncorrected', 'autocannon, closed']));
});

describe.each(others.filter(({ name }) => present.has(name)))('$name', (contestant) => {
  test('asks the server, and tells what it saw and what it cost', async () => {
    const measured = await contestant.run(workload(), never);
    expect(measured.answered).toBeGreaterThan(0);
    // Some end while requests are under way, and nobody can have more answers than there were requests.
    expect(measured.answered).toBeLessThanOrEqual(arrived);
    expect(measured.percentilesMs.p50).toBeGreaterThan(1);
    expect(measured.percentilesMs.p99).toBeGreaterThanOrEqual(19);
    expect(measured.errors).toEqual({});
    expect(measured.cpuMs).toBeGreaterThanOrEqual(0);
    expect(measured.rssPeakBytes).toBeGreaterThan(1_000_000);
    expect(foldersLeft()).toEqual([]);
  });

  test('ends at once when it is told to', async () => {
    const leave = new AbortController();
    const running = contestant.run(workload({ lastsMs: 60_000 }), leave.signal);
    const asked = waitUntil({ timeoutMs: 20_000, describe: () => `${contestant.name} sent nothing` }, () => arrived > 0);
    await Promise.race([asked, running]);
    leave.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await waitUntil({ timeoutMs: 5_000, describe: () => `${contestant.name} is still connected` }, async () => (await connections()) === 0);
    expect(foldersLeft()).toEqual([]);
  });
});

test.runIf(present.has('k6'))('k6 climbs', async () => {
  const { sent = 0, dropped = 0 } = await k6.run(workload({ lastsMs: 2_000, ratePerSecond: 1, toPerSecond: 99 }), never);
  expect(sent + dropped).toBeGreaterThan(90);
  expect(sent).toBe(arrived);
});

describe('a command', () => {
  const node = (code: string, more: Partial<Command> = {}): Command => ({ program: process.execPath, args: ['-e', code], ...more });

  test('tells what it printed and how it ended', async () => {
    const ended = await runCommand(node('process.stdin.pipe(process.stdout); process.exitCode = 3', { input: 'hello' }), { signal: never });
    expect(ended).toMatchObject({ code: 3, stdout: 'hello' });
  });

  test('costs what it and its children use', async () => {
    const burn = 'const end = performance.now() + 300; while (performance.now() < end);';
    const code = `${burn} require('node:child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(burn)}]);`;
    const { cpuMs } = await runCommand(node(code), { signal: never });
    // The machine may be busy with others: it is an upper limit that makes no sense here.
    expect(cpuMs).toBeGreaterThan(250);
  });

  test('takes along what it left running', async () => {
    const code = `const child = require('node:child_process').spawn('sleep', ['600'], { stdio: 'ignore' }); console.log(child.pid); child.unref();`;
    const { stdout } = await runCommand(node(code), { signal: never });
    await waitUntil(
      { timeoutMs: 5_000, describe: () => `process ${stdout} is still there` },
      () => startedAt(Number(stdout)) === undefined,
    );
  });

  test('is stopped from outside for as long as it is asked', async () => {
    const code = `let last = performance.now(), most = 0; const end = last + 1500;
      (function look() { const now = performance.now(); most = Math.max(most, now - last); last = now; now < end ? setTimeout(look, 5) : console.log(most); })();`;
    const { stdout } = await runCommand(node(code), { signal: never, pause: { atMs: 700, lastsMs: 400 } });
    expect(Number(stdout)).toBeGreaterThan(350);
  });

  test('that is not there is named', async () => {
    await expect(runCommand({ program: 'no-such-program', args: [] }, { signal: never })).rejects.toThrow(
      /no-such-program could not be started/,
    );
    expect(await onPath('no-such-program')).toBeUndefined();
  });
});

const foldersLeft = () => readdirSync(temporary);
const connections = promisify(server.getConnections.bind(server));
