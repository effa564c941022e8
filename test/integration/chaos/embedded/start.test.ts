import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startEmbedded } from '../../../../chaos/embedded/start.ts';
import { waitUntil } from '../../../../core/time.ts';

test('starts on a free loopback port and is gone after close', async () => {
  const server = await startEmbedded({ signal: new AbortController().signal });
  expect(server.controlUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const answer = await fetch(`${server.controlUrl}/version`);
  expect(await answer.json()).toEqual({ version: expect.stringMatching(/^2\.\d+\.\d+\+embedded/) });
  await server.close();
  expect(isAlive(server.pid)).toBe(false);
  await server.close();
});

test('an aborted start leaves nothing', async () => {
  const aborting = new AbortController();
  const starting = startEmbedded({ signal: aborting.signal });
  aborting.abort(new Error('enough'));
  await expect(starting).rejects.toThrow();
});

test('ends when its owner is killed', async () => {
  const owner = spawn(process.execPath, [fileURLToPath(new URL('./starts-embedded.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(owner.stdout, 'data');
  const { pid } = JSON.parse(String(line)) as { pid: number };
  expect(isAlive(pid)).toBe(true);
  owner.kill('SIGKILL');
  await waitUntil({ timeoutMs: 5_000, describe: () => `The server ${pid} outlived its owner` }, () => !isAlive(pid));
});

test('what it complains about goes to its log, whose folder is made', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stampede-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  vi.stubEnv('NODE_OPTIONS', '--import=data:text/javascript,console.error(`a%20complaint`)');
  onTestFinished(() => void vi.unstubAllEnvs());
  const logFile = join(folder, 'logs', 'toxiproxy.log');
  const server = await startEmbedded({ signal: new AbortController().signal, logFile });
  await server.close();
  expect(readFileSync(logFile, 'utf8')).toBe('a complaint\n');
});

test.each(['0.0.0.0', '::', '192.168.1.7', 'toxiproxy', ''])("does not open its control to others: -host '%s' is refused", async (host) => {
  const main = fileURLToPath(new URL('../../../../chaos/embedded/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, '-host', host, '-port', '0'], { stdio: ['pipe', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill());
  const ended = once(child, 'exit');
  child.stdin.end();
  expect(await text(child.stderr)).toBe(`Expected -host to be localhost, 127.0.0.1 or [::1], got '${host}'\n`);
  expect(await ended).toEqual([3, null]);
});

/** A process that has ended but was not yet collected by its new parent counts as gone. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
