import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { SearchRecord } from '../../harness/search/record.ts';
import { startCli } from '../support/cli.ts';

test('the capacity search finds a rate that the mall can serve, verified, and leaves nothing behind', { timeout: 900_000 }, async () => {
  const runs = mkdtempSync(join(tmpdir(), 'stampede-runs-'));
  onTestFinished(() => rmSync(runs, { recursive: true, force: true }));
  const cli = startCli(['run', 'capacity', '--runs', runs, '--seed', '7']);
  onTestFinished(() => cli.clean());
  expect(await cli.exited, cli.output()).toBe(0);
  expect(cli.remains()).toEqual({ processes: [], files: [] });

  const [made = ''] = readdirSync(runs);
  const record = JSON.parse(readFileSync(join(runs, made, 'search.json'), 'utf8')) as SearchRecord;
  expect(record.outcome).toBe('met');
  if (record.result.kind !== 'found') throw new Error(`Expected a limit, got ${record.result.kind}`);
  const { met, above } = record.result;
  expect(above.ratePerSecond / met.ratePerSecond).toBeLessThanOrEqual(1.06);
  expect(met.met).toBeGreaterThanOrEqual(2);
  expect(above.missed + above.undecided).toBeGreaterThanOrEqual(2);
  expect(cli.output()).toContain(record.why);
});
