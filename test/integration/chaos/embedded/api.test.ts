import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createApi } from '../../../../chaos/embedded/api.ts';
import { createProxies } from '../../../../chaos/embedded/proxies.ts';
import { createTraffic } from '../../../../chaos/embedded/traffic.ts';

test('a call that takes too long is let go, and its late answer harms nobody', async () => {
  let finish = () => {};
  const { controlUrl } = await startApi({ remove: () => new Promise<void>((resolve) => (finish = resolve)) }, { answersWithinMs: 20 });
  const created = await fetch(`${controlUrl}/proxies`, { method: 'POST', body: '{"name":"p","upstream":"127.0.0.1:1","enabled":false}' });
  expect(created.status).toBe(201);
  const answer = await fetch(`${controlUrl}/proxies/p`, { method: 'DELETE' });
  expect(answer.status).toBe(503);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(await answer.text()).toContain('<h1>Timeout</h1>');
  finish();
  expect((await fetch(`${controlUrl}/version`)).status).toBe(200);
});

test('a body that is too long is refused once it has come, and the connection goes on', async () => {
  const { port } = await startApi();
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let answers = '';
  socket.on('data', (bytes) => {
    answers += bytes;
  });
  const bytes = 20_000_000;
  socket.write(`POST /proxies HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`);
  socket.write(Buffer.alloc(bytes, 'x'));
  socket.write('GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await once(socket, 'close');
  expect(answers).toMatch(/^HTTP\/1.1 400 .*bad request body: longer than 4194304 bytes.*HTTP\/1.1 200 /s);
});

async function startApi(changed: Partial<ReturnType<typeof createProxies>> = {}, options: { answersWithinMs?: number } = {}) {
  const proxies = createProxies({ clock: () => performance.now(), seed: 1, traffic: createTraffic() });
  const log = { has: () => false, say() {} };
  const server = createServer(createApi({ ...proxies, ...changed }, { log, ...options })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, controlUrl: `http://127.0.0.1:${port}` };
}
