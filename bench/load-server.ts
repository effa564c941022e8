import { type AddressInfo, createServer } from 'node:net';

/**
 * The server of `load.ts`, a process of its own: answers every GET at once and counts. It costs as little as Node lets it, so that what is measured
 * beside it are those who ask.
 */
export type ServerOrder = 'forget' | 'report';
/** `port` when it listens. The times are those of the first and the last request since it was told to forget. */
export type ServerTold = { port: number } | Served;
export type Served = { requests: number; firstMs: number; lastMs: number };

const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n');
const blankLine = Buffer.from('\r\n\r\n');
let served: Served = { requests: 0, firstMs: 0, lastMs: 0 };

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  let rest: Buffer | undefined;
  socket.on('data', (bytes) => {
    const all = rest === undefined ? bytes : Buffer.concat([rest, bytes]);
    let from = 0;
    for (let end = all.indexOf(blankLine); end >= 0; end = all.indexOf(blankLine, from)) {
      from = end + blankLine.length;
      served.lastMs = performance.now();
      if (served.requests === 0) served.firstMs = served.lastMs;
      served.requests += 1;
      socket.write(answer);
    }
    rest = from === all.length ? undefined : all.subarray(from);
  });
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 }, () => tell({ port: (server.address() as AddressInfo).port }));
process.on('message', (order: ServerOrder) => {
  if (order === 'forget') served = { requests: 0, firstMs: 0, lastMs: 0 };
  tell(served);
});
process.on('disconnect', () => process.exit());

function tell(told: ServerTold): void {
  process.send?.(told);
}
