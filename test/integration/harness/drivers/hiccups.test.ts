import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runClock, waitUntil } from '../../../../core/time.ts';
import { startHiccups } from '../../../../harness/drivers/ground/hiccups.ts';
import { createLedgerReader, measure } from '../../../../harness/drivers/ledger/ledger.ts';

const { epochOffsetNs, nowMs } = runClock();
const program = `${import.meta.dirname}/../../../support/processes/watches-for-hiccups.ts`;

test('every canary tells what it saw, second by second of the run, and when it is asked, the rest so far', async () => {
  const readers = [createLedgerReader(), createLedgerReader()];
  const rows = () => readers.map((reader) => reader.rows());
  const hiccups = startHiccups({
    epochOffsetNs,
    threads: 2,
    onLedger: (canary, message, giveBack) => readers[canary]?.accept(canary, message, giveBack),
  });
  const startMs = nowMs() + 100;
  hiccups.begin(startMs);
  await waitUntil({ timeoutMs: 30_000, describe: () => 'No canary told of a second' }, () => rows().every(({ length }) => length >= 2));
  expect(rows().map((ofCanary) => ofCanary.map(({ window }) => window).slice(0, 2))).toEqual([
    [0, 1],
    [0, 1],
  ]);
  const askedMs = nowMs() - startMs;
  await hiccups.flush();
  const told = rows();
  // They go on, and what they tell of a second that they were asked in comes on top.
  await hiccups.flush();
  await waitUntil({ timeoutMs: 30_000, describe: () => 'No canary went on' }, () =>
    rows().every(({ length }, canary) => length >= (told[canary]?.length ?? 0) + 2),
  );

  for (const ofCanary of told) {
    for (const row of ofCanary) expect(row).toMatchObject({ measure: measure.hiccup, route: 0, outcome: 0 });
    const ticks = ofCanary.reduce((sum, { total }) => sum + total, 0);
    expect(ticks).toBeGreaterThan(0.7 * askedMs - 2);
  }
  for (const ofCanary of rows()) {
    // Ticks that a busy machine swallowed are filled in: a second has its thousand, less what a sleep takes longer than asked.
    for (const { total } of ofCanary.slice(0, -1)) {
      expect(total).toBeGreaterThan(700);
      expect(total).toBeLessThanOrEqual(1_001);
    }
  }
});

test('a pause of the machine is as long as it was, and spoils every tick that was due in it', async () => {
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('watching');
    child.kill('SIGSTOP');
    const stoppedMs = nowMs();
    await sleep(500);
    const pausedMs = nowMs() - stoppedMs;
    child.kill('SIGCONT');
    child.stdin.write('enough');
    const rows: { window: number; total: number; max: number }[] = JSON.parse((await lines.next()).value ?? '');
    const longestUs = Math.max(...rows.map(({ max }) => max));
    const ticks = rows.reduce((sum, { total }) => sum + total, 0);
    expect(longestUs).toBeGreaterThan(0.9 * pausedMs * 1_000);
    expect(ticks).toBeGreaterThan(2 * 0.7 * pausedMs);
    // Nothing of the canaries keeps it.
    if (child.exitCode === null) await once(child, 'exit');
    expect(child.exitCode).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
});

test('what goes wrong in a canary is told to its owner, and nobody waits for what it has seen', async () => {
  const told: Error[] = [];
  const hiccups = startHiccups({
    epochOffsetNs: 'yesterday' as unknown as bigint,
    threads: 1,
    onLedger: () => {},
    onError: (error) => told.push(error),
  });
  await waitUntil({ timeoutMs: 20_000, describe: () => 'The error was not told' }, () => told.length > 0);
  await hiccups.flush();
  expect(told).toHaveLength(1);
});
