import { type AddressInfo, createServer, type Socket } from 'node:net';
import { raisePriority } from '../../harness/drivers/priority.ts';
import { createAsks } from './asks.ts';
import { type Behaviour, createTurns, type Spoiling, spoilingOf } from './behaviour.ts';
import { type Canary, startCanary } from './canary.ts';
import { nowUs } from './clock.ts';
import type { Logged, Order, Told } from './messages.ts';
import { startWaker } from './waker.ts';

/**
 * The truth server: a program of its own that answers GET requests over HTTP/1.1, as leanly as Node can, and notes when each was read and when
 * its answer was written. Nobody sees better than it when requests come.
 */

/** More than any script plans. What comes beyond is answered, and only counted. */
const mostLogged = 1 << 18;
const body = 'truth\n';
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: keep-alive\r\n\r\n${body}`,
);

type Waiting = { socket: Socket; number: number; dueUs: number };

const arrivedUs = new Float64Array(mostLogged);
const answeredUs = new Float64Array(mostLogged);
const sockets = new Set<Socket>();
const spoilt: Record<Spoiling, number> = { reset: 0, fin: 0, hang: 0 };
let behaviour: Behaviour = { serves: { kind: 'atOnce' } };
let turns = createTurns(behaviour);
let arrived = 0;
let sinceUs = nowUs();
/** In the order in which they are due. `next` is the first that has not been answered yet. */
let waiting: Waiting[] = [];
let next = 0;

raisePriority();
const canary: Canary = startCanary();
const waker = startWaker(serveDue);
process.on('disconnect', () => process.exit());
process.on('message', follow);

// All who come while the process is stopped have to find room.
const server = createServer({ noDelay: true }, welcome);
server.listen({ host: '127.0.0.1', port: 0, backlog: 65_535 }, () => tell({ port: (server.address() as AddressInfo).port }));

function welcome(socket: Socket): void {
  const take = createAsks();
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  // The other side may leave as it likes.
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    for (let left = take(bytes); left > 0; left -= 1) accept(socket);
  });
}

function accept(socket: Socket): void {
  const atUs = nowUs();
  const number = ++arrived;
  if (number <= mostLogged) {
    arrivedUs[number - 1] = atUs;
    answeredUs[number - 1] = Number.NaN;
  }
  const dueUs = turns(atUs);
  if (spoilingOf(behaviour, number) === 'hang') {
    spoilt.hang += 1;
    // An answer to a later request would pass for the answer to this one.
    socket.pause();
  } else if (dueUs <= atUs) {
    serve(socket, number);
  } else {
    waiting.push({ socket, number, dueUs });
    if (waiting.length - next === 1) waker.set(dueUs);
  }
  if (number === 1) tell({ firstUs: atUs });
}

function serveDue(): void {
  for (let first = waiting[next]; first !== undefined && first.dueUs <= nowUs(); first = waiting[next]) {
    next += 1;
    serve(first.socket, first.number);
  }
  if (next > 1_024 && next * 2 > waiting.length) {
    waiting = waiting.slice(next);
    next = 0;
  }
  waker.set(waiting[next]?.dueUs ?? Number.POSITIVE_INFINITY);
}

function serve(socket: Socket, number: number): void {
  // Who has left is served all the same, as by any server that looks at nothing but its work; only there is nobody to tell.
  if (socket.destroyed || !socket.writable) return;
  const spoiling = spoilingOf(behaviour, number);
  if (spoiling !== undefined) spoilt[spoiling] += 1;
  switch (spoiling) {
    case undefined:
      socket.write(answer);
      if (number <= mostLogged) answeredUs[number - 1] = nowUs();
      return;
    case 'reset':
      socket.resetAndDestroy();
      return;
    case 'fin':
      socket.end();
      return;
    case 'hang':
      return;
    default:
      spoiling satisfies never;
  }
}

function follow(order: Order) {
  switch (order.kind) {
    case 'begin':
      for (const socket of sockets) socket.destroy();
      behaviour = order.behaviour;
      turns = createTurns(behaviour);
      Object.assign(spoilt, { reset: 0, fin: 0, hang: 0 });
      [arrived, waiting, next, sinceUs] = [0, [], 0, nowUs()];
      waker.set(Number.POSITIVE_INFINITY);
      return tell({ begun: true });
    case 'report':
      return tell({ logged: logged() });
    default:
      order satisfies never;
  }
}

function logged(): Logged {
  const kept = Math.min(arrived, mostLogged);
  return {
    arrived,
    arrivedUs: arrivedUs.slice(0, kept),
    answeredUs: answeredUs.slice(0, kept),
    spoilt: { ...spoilt },
    pauses: canary.pausesSince(sinceUs),
  };
}

function tell(told: Told): void {
  process.send?.(told);
}
