import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCanaries } from '../../../chaos/canary/canaries.ts';
import { type EmbeddedServer, startEmbedded } from '../../../chaos/embedded/start.ts';
import { blackHole, type NetworkFault, slice, slow } from '../../../chaos/faults.ts';
import { openNetwork } from '../../../chaos/network.ts';
import { monotonic, waitUntil } from '../../../core/time.ts';

// What canaries must not see, because it is not there.

const place = 'orders->payment.1';
const edge = 'orders->payment';
const { signal } = new AbortController();
let server: EmbeddedServer;
beforeAll(async () => {
  server = await startEmbedded({ signal });
});
afterAll(() => server.close());

test.each([slow(edge, { by: '500ms' }), blackHole(edge)])(
  'a callee that grew busy a moment after it had answered is busy, and nothing is wrong with its wire: %j',
  async (fault) => {
    await using undo = new AsyncDisposableStack();
    const program = fileURLToPath(new URL('./stalls-after-answers.ts', import.meta.url));
    const callee = spawn(process.execPath, [program, '300'], { stdio: ['ignore', 'pipe', 'inherit'] });
    undo.defer(async () => {
      const exited = once(callee, 'exit');
      callee.kill('SIGKILL');
      await exited;
    });
    const lines = createInterface({ input: callee.stdout });
    const [first] = await once(lines, 'line');
    const { port } = JSON.parse(String(first)) as AddressInfo;
    const { canaries } = await openWire(undo, { upstream: `127.0.0.1:${port}` });
    const watch = canaries.watch(fault, [place]);
    let stalls = 0;
    lines.on('line', () => {
      stalls += 1;
    });
    await waitUntil({ timeoutMs: 20_000, describe: () => 'The callee never stalled' }, () => stalls >= 8);
    expect(watch.effects()[0]?.felt).toBeUndefined();
  },
  30_000,
);

test('a hiccup now and then is no delay, and is told as a reason for doubt', async () => {
  await using undo = new AsyncDisposableStack();
  const { address: upstream } = await startCallee(undo);
  const relay = await startRelay(undo, { upstream, every: 3, delayMs: 60 });
  const { canaries } = await openWire(undo, { upstream, through: relay.address });
  const fault = slow(edge, { by: '40ms' });
  const watch = canaries.watch(fault, [place]);
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Nothing was delayed' }, () => relay.delayed() >= 15);
  watch.ended();
  const [effect] = watch.effects();
  expect(effect?.felt).toBeUndefined();
  await watch.done;
  expect(watch.effects()[0]?.doubt).toMatch(/^seen too rarely to be sure: /);
}, 30_000);

test('a fault that no connection is drawn for is never felt, and it takes many connections to say that it is gone', async () => {
  await using undo = new AsyncDisposableStack();
  const callee = await startCallee(undo);
  const { canaries, apply } = await openWire(undo, { upstream: callee.address });
  const fault = blackHole(edge, { toxicity: '0%' });
  const end = await apply(fault);
  const watch = canaries.watch(fault, [place]);
  // Two ways, one of them through the fault.
  await waitUntil({ timeoutMs: 20_000, describe: () => 'Too few questions' }, () => callee.connections() >= 100);
  expect(watch.effects()[0]?.felt).toBeUndefined();
  const before = callee.connections();
  await end();
  watch.ended();
  await watch.done;
  expect(watch.effects()[0]?.goneAtMs).toBeDefined();
  expect(callee.connections() - before).toBeGreaterThanOrEqual(2 * 44);
}, 30_000);

test.each([slow(edge, { by: '100ms', jitter: '20ms' }), slice(edge, { bytes: 20 })])(
  'what stays on is not said to be gone: %j',
  async (fault) => {
    await using undo = new AsyncDisposableStack();
    const { canaries, apply } = await openWire(undo, { upstream: (await startCallee(undo)).address, goneWithinMs: 700 });
    await apply(fault);
    const watch = canaries.watch(fault, [place]);
    await waitUntil({ timeoutMs: 10_000, describe: () => 'Not felt' }, () => watch.effects()[0]?.felt);
    watch.ended();
    await watch.done;
    expect(watch.effects()[0]?.goneAtMs).toBeUndefined();
  },
);

test('who closes canaries in the middle of their questions leaves no connection behind, and lets go of who waits for a watch', async () => {
  await using undo = new AsyncDisposableStack();
  const callee = await startCallee(undo);
  const { canaries, apply } = await openWire(undo, { upstream: callee.address });
  await waitUntil({ timeoutMs: 10_000, describe: () => 'Nobody asked' }, () => callee.connections() >= 2);
  const end = await apply(blackHole(edge));
  const watch = canaries.watch(blackHole(edge), [place]);
  await canaries.close();
  await watch.done;
  // A black hole hides also the end of a connection.
  await end();
  await waitUntil({ timeoutMs: 5_000, describe: () => 'Connections were left' }, () => callee.open() === 0);
});

async function startCallee(undo: AsyncDisposableStack) {
  const callee = createServer().listen(0, '127.0.0.1');
  await once(callee, 'listening');
  undo.defer(async () => void callee.close());
  let [connections, open] = [0, 0];
  callee.on('connection', (socket) => {
    connections += 1;
    open += 1;
    socket.on('close', () => {
      open -= 1;
    });
  });
  return {
    address: `127.0.0.1:${(callee.address() as AddressInfo).port}`,
    connections: () => connections,
    open: () => open,
  };
}

/** Passes bytes on in both directions, and holds every so manieth piece of an answer back. */
async function startRelay(undo: AsyncDisposableStack, { upstream, every, delayMs }: { upstream: string; every: number; delayMs: number }) {
  let [pieces, delayed] = [0, 0];
  const sockets = new Set<Socket>();
  const relay = createNetServer((client) => {
    const callee = connect({ host: '127.0.0.1', port: Number(upstream.split(':')[1]) });
    for (const [socket, other] of [
      [client, callee],
      [callee, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk) => callee.write(chunk));
    callee.on('data', (chunk) => {
      pieces += 1;
      if (pieces % every !== 0) return client.write(chunk);
      delayed += 1;
      setTimeout(() => client.write(chunk), delayMs);
    });
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  undo.defer(async () => {
    relay.close();
    for (const socket of sockets) socket.destroy();
  });
  return { address: `127.0.0.1:${(relay.address() as AddressInfo).port}`, delayed: () => delayed };
}

async function openWire(
  undo: AsyncDisposableStack,
  { upstream, through, goneWithinMs = 10_000 }: { upstream: string; through?: string; goneWithinMs?: number },
) {
  const network = await openNetwork({
    controlUrl: server.controlUrl,
    wires: [{ name: place, edge, replica: 1, upstream }],
    signal,
  });
  undo.defer(() => network.close());
  const canaries = openCanaries({
    stations: [{ place, protocol: { kind: 'http2' }, through: through ?? network.addressOf(place), direct: upstream }],
    ...{ nowMs: monotonic, signal, calmEveryMs: 500, watchEveryMs: 5, goneWithinMs },
  });
  undo.defer(() => canaries.close());
  return { canaries, apply: (fault: NetworkFault) => network.apply(fault) };
}
