import { createServer } from 'node:http2';

// Speaks HTTP/2. Once it has answered a ping it does nothing at all for so many milliseconds (argument), and then answers for a while: who asked
// first has the answer at once, and who asked a moment later waits. Prints its address, then a line for each time.
const stallMs = Number(process.argv[2]);
let isRested = true;
const server = createServer().listen(0, '127.0.0.1', () => console.log(JSON.stringify(server.address())));
server.on('session', (session) =>
  session.on('ping', () => {
    if (isRested) setImmediate(stall);
    isRested = false;
  }),
);

function stall(): void {
  const untilMs = performance.now() + stallMs;
  while (performance.now() < untilMs);
  console.log('stalled');
  setTimeout(() => {
    isRested = true;
  }, 50);
}
