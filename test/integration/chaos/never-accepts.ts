import { createServer } from 'node:net';

// Listens with the shortest backlog there is and stops itself, so that nobody accepts: once the backlog is full, handshakes hang.
const server = createServer().listen(0, '127.0.0.1', 1, () => {
  process.stdout.write(`${JSON.stringify(server.address())}\n`, () => process.kill(process.pid, 'SIGSTOP'));
});
