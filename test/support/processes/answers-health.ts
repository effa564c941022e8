import { createServer } from 'node:http';

// Answers every request with 200 at the port given as its argument, after the milliseconds given as the second.
setTimeout(
  () => {
    createServer((_, response) => response.end('fine')).listen(Number(process.argv[2]), '127.0.0.1');
  },
  Number(process.argv[3] ?? 0),
);
