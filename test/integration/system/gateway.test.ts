import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimPorts, type Ports } from '../../../compose/ports.ts';
import { splitAddress } from '../../../core/address.ts';
import { runClock, waitUntil } from '../../../core/time.ts';
import { connectEtcd } from '../../../system/rpc/etcd.ts';
import { startTestEtcd, type TestEtcd } from '../../support/etcd.ts';
import { testRuntime } from '../../support/runtime.ts';

const undo = new AsyncDisposableStack();
let ports: Ports;
let server: TestEtcd;
let etcd: Etcd3;

beforeAll(async () => {
  ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());
  server = await startTestEtcd(undo);
  etcd = connectEtcd(server.address);
  undo.defer(() => etcd.close());
});
afterAll(() => undo.disposeAsync());

test('a gateway that stops answers what it has begun and what still arrives, and ends without waiting for idle shoppers', async () => {
  await using mute = await ordersThatNeverAnswer();
  await using gateway = await startGateway();
  const shopper = gateway.connect();
  const silent = gateway.connect();
  for (const { send } of [shopper, silent]) send('GET /api/v1/orders', { authorization: `Bearer ${gateway.token}` });
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the gateway to ask for orders' }, () => mute.wasAsked());
  gateway.child.kill('SIGTERM');
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Expected the gateway to take no more connections' }, () => gateway.isClosed());
  shopper.send('GET /health');
  expect(await gateway.exitCode).toBe(0);
  expect(shopper.heard().match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 504', 'HTTP/1.1 200']);
  for (const { heard } of [shopper, silent]) expect(heard()).toContain('"code":1007');
  expect(shopper.heard()).toContain('{"status":"ok"}');
  expect(gateway.output()).not.toContain('took too long');
});

test('requests that reach no route are answered and traced, and appear in no measure', async () => {
  await using gateway = await startGateway();
  const wrong = await fetch(`http://${gateway.address}/nowhere`);
  expect([wrong.status, await codeOf(wrong), wrong.headers.get('x-trace-id')]).toEqual([404, 1002, expect.stringMatching(/^\w{32}$/)]);
  const body = '{"items":';
  const unreadable = await fetch(`http://${gateway.address}/api/v1/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect([unreadable.status, await codeOf(unreadable)]).toEqual([400, 1002]);
  const metrics = await (await fetch(`http://${gateway.address}/metrics`)).text();
  expect(metrics).not.toMatch(/^http_server_requests_code_total\{/m);
  expect(metrics).not.toContain('_OTHER');
});

const codeOf = async (reply: Response) => ((await reply.json()) as { code: number }).code;

async function startGateway() {
  const address = `127.0.0.1:${await ports.next()}`;
  const { config } = testRuntime('gateway', { clock: runClock(), config: { listen: address, admin: address, etcd: server.address } });
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, '../../../system/gateway/main.ts')], {
    env: { ...process.env, MALL_CONFIG: JSON.stringify(config) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  const exitCode = once(child, 'close').then(([code]) => code as number | null);
  const isUp = () =>
    fetch(`http://${address}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitUntil({ timeoutMs: 20_000, describe: () => `Expected the gateway to answer, got\n${output}` }, isUp);
  return {
    child,
    address,
    exitCode,
    token: tokenOf({ user_id: 1 }, config.jwtSecret),
    output: () => output,
    isClosed: () =>
      new Promise<boolean>((resolve) => {
        const probe = connect(splitAddress(address));
        probe.on('error', () => resolve(true));
        probe.on('connect', () => {
          probe.destroy();
          resolve(false);
        });
      }),
    /** A shopper who keeps his connection. */
    connect() {
      const socket = connect(splitAddress(address));
      let heard = '';
      socket.on('data', (chunk) => {
        heard += chunk;
      });
      return {
        send(request: string, headers: Record<string, string> = {}) {
          const lines = Object.entries({ host: 'mall', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
          socket.write(`${request} HTTP/1.1\r\n${lines.join('')}\r\n`);
        },
        heard: () => heard,
      };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exitCode;
    },
  };
}

/** As a login gives it. */
function tokenOf(payload: object, secret: string): string {
  const [header, body] = [{ alg: 'HS256', typ: 'JWT' }, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  return `${header}.${body}.${createHmac('sha256', secret).update(`${header}.${body}`).digest('base64url')}`;
}

/** Found in etcd and taking connections, but nothing else. */
async function ordersThatNeverAnswer() {
  const port = await ports.next();
  let wasAsked = false;
  const silent = createServer((socket) => {
    wasAsked = true;
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => void silent.listen(port, '127.0.0.1', resolve));
  await etcd.put('test/orders/1').value(`127.0.0.1:${port}`);
  return {
    wasAsked: () => wasAsked,
    async [Symbol.asyncDispose]() {
      await etcd.delete().key('test/orders/1').exec();
      silent.close();
    },
  };
}
