import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What bench/proxy.ts asks of its two peers: one serves, the other calls, each in a process of its own. */
export type Order =
  | { order: 'serve' }
  | { order: 'trips'; address: string; connections: number; lastsMs: number; pauseMs?: number }
  | { order: 'bulk'; address: string; connections: number; lastsMs: number };

export type Answer = {
  serve: { echo: string; source: string };
  /** Every 32-byte message that came back, and what each took where not too many share the machine. */
  trips: { perSecond: number; count: number; tookUs: number[] };
  bulk: { bytesPerSecond: number };
};

process.on('message', async (order: Order) => {
  process.send?.(await answerTo(order));
});

async function answerTo(order: Order): Promise<Answer[Order['order']]> {
  switch (order.order) {
    case 'serve':
      return { echo: await listen((socket) => socket.on('data', (bytes) => socket.write(bytes))), source: await listen(pour) };
    case 'trips':
      return await trips(order);
    case 'bulk':
      return await bulk(order);
    default:
      return order satisfies never;
  }
}

async function listen(onSocket: (socket: Socket) => void): Promise<string> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const piece = Buffer.alloc(64 * 1024, 'x');

/** Gives as much as the other side takes. */
function pour(socket: Socket): void {
  const fill = () => {
    while (socket.writable && socket.write(piece));
  };
  socket.on('drain', fill);
  fill();
}

async function trips({ address, connections, lastsMs, pauseMs = 0 }: Extract<Order, { order: 'trips' }>): Promise<Answer['trips']> {
  const message = Buffer.alloc(32, 'x');
  const sockets = await Promise.all(Array.from({ length: connections }, () => dial(address)));
  const tookUs: number[] = [];
  let count = 0;
  const startMs = performance.now();
  for (const socket of sockets) {
    let sentMs = 0;
    let isFirst = true;
    let missing = message.length;
    socket.on('data', (bytes) => {
      missing -= bytes.length;
      if (missing > 0) return;
      missing = message.length;
      // The first one waits for the proxy to reach the upstream.
      if (!isFirst) tookUs.push((performance.now() - sentMs) * 1_000);
      isFirst = false;
      count += 1;
      if (pauseMs > 0) setTimeout(send, pauseMs);
      else send();
    });
    send();

    function send(): void {
      sentMs = performance.now();
      socket.write(message);
    }
  }
  await later(lastsMs);
  const seconds = (performance.now() - startMs) / 1_000;
  const answer = { perSecond: count / seconds, count, tookUs: tookUs.toSorted((a, b) => a - b) };
  for (const socket of sockets) socket.destroy();
  return { ...answer, tookUs: thinned(answer.tookUs) };
}

async function bulk({ address, connections, lastsMs }: { address: string; connections: number; lastsMs: number }): Promise<Answer['bulk']> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => dial(address)));
  let bytes = 0;
  for (const socket of sockets)
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
  const startMs = performance.now();
  await later(lastsMs);
  const bytesPerSecond = (bytes / (performance.now() - startMs)) * 1_000;
  for (const socket of sockets) socket.destroy();
  return { bytesPerSecond };
}

async function dial(address: string): Promise<Socket> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  return socket.on('error', () => socket.destroy());
}

const later = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** A thousand of them, evenly spaced in their order, which keeps every percentile that is asked for. */
function thinned(sorted: readonly number[]): number[] {
  const wanted = 1_000;
  if (sorted.length <= wanted) return [...sorted];
  return Array.from({ length: wanted }, (_, index) => sorted[Math.round((index * (sorted.length - 1)) / (wanted - 1))] ?? Number.NaN);
}
