import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
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

/** A process that has ended but was not yet collected by its new parent counts as gone. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
