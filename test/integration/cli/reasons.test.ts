import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readRecord } from '../../../harness/record.ts';
import { root, startCli } from '../../support/cli.ts';
import { certificate, privateKey } from '../../support/servers/self-signed.ts';

test('a certificate that nobody vouches for is told as the reason, wherever a person looks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stampede-reasons-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const server = createServer({ key: privateKey, cert: certificate });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const file = join(folder, 'distrusts.ts');
  writeFileSync(
    file,
    `import { get, phase, scenario, steady, uniformly, vocabulary } from '${join(root, 'harness/index.ts')}';
     const { journey, errors } = vocabulary('list');
     export default scenario('distrusts', { story: 'Nobody vouches for the shop.', target: { http: '${address}' },
       journey: journey(async ({ step }) => { await step('list', get('/products')); }),
       visitors: { timeout: '3s' },
       timeline: [phase('calm', { lasts: '1s', load: uniformly(steady('30/s')), expect: [errors('list').below('1%')] })] });`,
  );
  const cli = startCli(['run', file, '--runs', join(folder, 'runs')], { CI: '1' });
  onTestFinished(() => cli.clean());
  expect(await cli.exited, cli.output()).toBe(1);

  const output = cli.output().replaceAll(/\s+/g, ' ');
  expect(output).toContain('100.0% of 30 (30 failed, first: self-signed certificate)');
  expect(output).toMatch(new RegExp(`Load on ${address}: 30 of 30 requests sent, .*, visitors: time limit 3 s `));
  const [, name = ''] = /([^/\s]+)\/report\.html/.exec(cli.output()) ?? [];
  const made = join(folder, 'runs', name);
  const record = await readRecord(made);
  expect(record).toMatchObject({ target: { address }, visitors: 'time limit 3 s' });
  expect(record.requests).toMatchObject([{ outcome: 'failed', count: 30, firstReason: 'self-signed certificate' }]);
  expect(record.run.steps.map(({ title }) => title)).toEqual(['target', 'visitors', 'timeline', 'verdicts']);
  const report = readFileSync(join(made, 'report.html'), 'utf8');
  for (const told of ['first failed: self-signed certificate', `<dd>${address}</dd>`, '<dd>time limit 3 s</dd>'])
    expect(report).toContain(told);
});
