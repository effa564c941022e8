import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRecord, writeRecord } from '../../../harness/record.ts';
import { sampleRecord } from '../../support/records/sample.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stampede-record-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a record comes back as it was written', async () => {
  await writeRecord(folder, sampleRecord());
  expect(await readRecord(folder)).toEqual(sampleRecord());
});

test('a fault that was recorded before faults were watched is read as one of which nothing was seen', async () => {
  const { phase, sentence, fromMs, untilMs } = sampleRecord().faults[0] ?? {};
  const old = { phase, sentence, fromMs, untilMs, wires: ['orders->payment.1'] };
  writeFileSync(join(folder, 'record.json'), JSON.stringify({ ...sampleRecord(), faults: [old] }));
  expect((await readRecord(folder)).faults).toEqual([
    {
      ...{ phase, sentence, fromMs, untilMs, places: ['orders->payment.1'], askedMs: fromMs },
      ...{ effects: [], idle: [], impacts: [], alsoHurt: [], routes: [] },
    },
  ]);
});

test.each([
  ['nonsense', /is not a run record/],
  ['{"version":2,"phases":[]}', /is a record of version 2; this Stampede reads version 1/],
  ['null', /is a record of version undefined/],
])('a file that holds %s is refused', async (text, sentence) => {
  writeFileSync(join(folder, 'record.json'), text);
  await expect(readRecord(folder)).rejects.toThrow(sentence);
});
