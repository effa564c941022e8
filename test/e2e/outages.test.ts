import { expect, test } from 'vitest';
import { wholeRun } from '../support/whole-run.ts';

test('the mall comes back from every outage', async () => {
  const { code, record, output } = await wholeRun('outages');
  expect(record.verdicts.filter(({ outcome }) => outcome !== 'met')).toEqual([]);
  expect(code, output).toBe(0);
  expect(record.faults.flatMap(({ effects }) => effects).filter(({ felt }) => felt === undefined)).toEqual([]);
});

test("with go-zero's cache browsing stays down when Redis is back", async () => {
  const { code, record, output } = await wholeRun('outages', '--tune', 'mall.cache.withoutRedis=fails');
  expect(code, output).toBe(1);
  const verdict = record.verdicts.find(({ sentence }) => sentence.startsWith('gateway->product is back'));
  expect(verdict?.outcome).toBe('missed');
});
