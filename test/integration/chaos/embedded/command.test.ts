import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Toxiproxy } from 'toxiproxy-node-client';
import { expect, onTestFinished, test } from 'vitest';
import { startCli } from '../../../support/cli.ts';
import { closeAll, connectTo, deadAddress, startUpstream, write } from '../support.ts';

test('runs in place of toxiproxy-server: config, metrics, JSON lines, an orderly end', async () => {
  const listen = await deadAddress();
  const config = configOf([{ name: 'from file', listen, upstream: '127.0.0.1:1' }]);
  const { cli, controlUrl } = await startToxiproxy(['-config', config, '--runtime-metrics'], { LOG_LEVEL: 'debug' });

  expect(Object.keys(await new Toxiproxy(controlUrl).getAll())).toEqual(['from file']);
  const metrics = await (await fetch(`${controlUrl}/metrics`)).text();
  expect(metrics).toContain('toxiproxy_proxy_received_bytes_total');
  expect(metrics).toContain('process_cpu_seconds_total');
  cli.kill('SIGTERM');
  expect(await cli.exited).toBe(0);
  expect(linesOf(cli).map(({ level, message, url, status }) => [level, message, url, status])).toEqual([
    ['info', 'Starting Toxiproxy', undefined, undefined],
    ['info', 'Populated proxies', undefined, undefined],
    ['info', 'Starting Toxiproxy HTTP server', undefined, undefined],
    ['debug', 'Answered', '/proxies', 200],
    ['debug', 'Answered', '/metrics', 200],
    ['info', 'Shutdown started', undefined, undefined],
  ]);
});

test('a config that cannot be read does not keep it from starting', async () => {
  const { cli, controlUrl } = await startToxiproxy(['-config', '/no/such/file', '-proxy-metrics=false']);
  expect(await new Toxiproxy(controlUrl).getAll()).toEqual({});
  expect((await fetch(`${controlUrl}/metrics`)).status).toBe(404);
  cli.kill('SIGINT');
  expect(await cli.exited).toBe(0);
  const complaint = linesOf(cli).find(({ level }) => level === 'error');
  expect(complaint).toMatchObject({ config: '/no/such/file', error: expect.stringContaining('no such file') });
});

test('the same seed draws the same', async () => {
  const slow: boolean[][] = [];
  for (let run = 0; run < 2; run += 1) {
    const listen = await deadAddress();
    const config = configOf([{ name: 'p', listen, upstream: '127.0.0.1:1' }]);
    const { cli, controlUrl } = await startToxiproxy(['-config', config, '-seed', '42']);
    slow.push(await drawsOf(controlUrl, listen));
    cli.kill('SIGTERM');
    await cli.exited;
  }
  expect(slow[0]).toEqual(slow[1]);
  expect(new Set(slow[0]).size).toBe(2);
});

test.each([
  [['-version'], 0, /^toxiproxy-server version 2\.12\.0\+embedded/],
  [['-help'], 0, /-runtime-metrics {3}metrics of the process/],
  [['-nosuch'], 3, /^There is no flag -nosuch/],
])('%j ends with %i', async (args, code, output) => {
  const cli = startCli(['toxiproxy', ...args]);
  onTestFinished(cli.clean);
  expect(await cli.exited).toBe(code);
  expect(cli.output()).toMatch(output);
});

test('a port that is taken is told in a sentence', async () => {
  const { cli, controlUrl } = await startToxiproxy([]);
  const second = startCli(['toxiproxy', '-port', new URL(controlUrl).port]);
  onTestFinished(second.clean);
  expect(await second.exited).toBe(3);
  expect(second.output()).toMatch(/^The control API cannot listen: listen tcp 127\.0\.0\.1:\d+: bind: address already in use$/m);
  cli.kill('SIGTERM');
  await cli.exited;
});

async function startToxiproxy(args: string[], env: NodeJS.ProcessEnv = {}) {
  const cli = startCli(['toxiproxy', '-port', '0', ...args], env);
  onTestFinished(async () => {
    cli.kill('SIGKILL');
    await cli.exited;
    cli.clean();
  });
  await cli.printed('Starting Toxiproxy HTTP server', 10_000);
  const { address } = linesOf(cli).find(({ message }) => message === 'Starting Toxiproxy HTTP server') ?? {};
  return { cli, controlUrl: `http://${address}` };
}

type Line = { level: string; message: string; url?: string; status?: number; address?: string };

const linesOf = (cli: { output(): string }) =>
  cli
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

function configOf(proxies: object[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'stampede-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'toxiproxy.json');
  writeFileSync(file, JSON.stringify(proxies));
  return file;
}

/** Which of twenty connections, one after the other, a toxic with half a chance closes at their first byte. */
async function drawsOf(controlUrl: string, listen: string): Promise<boolean[]> {
  const upstream = await startUpstream();
  const proxy = await new Toxiproxy(controlUrl).get('p');
  await proxy.update({ enabled: true, listen, upstream: upstream.address });
  await proxy.addToxic({ name: 'x', type: 'limit_data', stream: 'upstream', toxicity: 0.5, attributes: { bytes: 0 } } as never);
  const draws: boolean[] = [];
  for (let index = 0; index < 20; index += 1) {
    const client = await connectTo(listen);
    write(client, 'x');
    draws.push(
      await Promise.race([
        client.ended().then(() => true),
        client.hasReceived(1).then(
          () => false,
          () => true,
        ),
      ]),
    );
    client.socket.destroy();
  }
  await closeAll();
  return draws;
}
