import { createServer } from 'node:http';

// Answers every request with 200 and its process id at the port given as its argument, after the milliseconds given as the second.
setTimeout(
  () => {
    createServer((_, response) => response.end(String(process.pid))).listen(Number(process.argv[2]), '127.0.0.1');
  },
  Number(process.argv[3] ?? 0),
);
