import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UsageError } from '../../../core/errors.ts';
import { openRunFolder, tidyRunFolder } from '../../../harness/run-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stampede-runs-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const at = new Date('2026-01-02T03:04:05.678Z');

test('a run gets a folder of its own, named after scenario and time', async () => {
  const made = await openRunFolder({ runs: join(folder, 'runs'), name: 'flash-sale', at });
  expect(made).toBe(join(folder, 'runs', 'flash-sale-2026-01-02_03-04-05-678'));
  expect(readdirSync(made)).toEqual(['logs']);
});

test('a folder of logs is kept only where something is in it', async () => {
  const made = await openRunFolder({ runs: join(folder, 'runs'), name: 'flash-sale', at });
  writeFileSync(join(made, 'logs', 'redis.log'), 'ready');
  await tidyRunFolder(made);
  expect(readdirSync(join(made, 'logs'))).toEqual(['redis.log']);
  rmSync(join(made, 'logs', 'redis.log'));
  await tidyRunFolder(made);
  await tidyRunFolder(made);
  expect(readdirSync(made)).toEqual([]);
});

test('a runs folder that is a file is refused in one sentence', async () => {
  writeFileSync(join(folder, 'runs'), '');
  await expect(openRunFolder({ runs: join(folder, 'runs'), name: 'x', at })).rejects.toThrow(UsageError);
  await expect(openRunFolder({ runs: join(folder, 'runs'), name: 'x', at })).rejects.toThrow("Cannot write a run's logs and report to");
});

// Root may write anywhere, so a mode alone proves nothing for it.
test.runIf(process.getuid?.() !== 0)('a read-only runs folder is refused', async () => {
  chmodSync(folder, 0o500);
  await expect(openRunFolder({ runs: folder, name: 'x', at })).rejects.toThrow('EACCES');
});

test.runIf(canMount())('a full disk is refused and nothing is left behind', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
  try {
    await expect(openRunFolder({ runs: folder, name: 'x', at })).rejects.toThrow('ENOSPC');
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    execFileSync('umount', [folder]);
  }
});

/** A small file system of its own needs root and the right to mount. */
function canMount(): boolean {
  const trial = mkdtempSync(join(tmpdir(), 'stampede-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', trial], { stdio: 'ignore' });
    execFileSync('umount', [trial]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(trial, { recursive: true, force: true });
  }
}
