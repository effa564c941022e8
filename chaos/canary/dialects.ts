import type { Socket } from 'node:net';
import { createConnection } from 'mysql2/promise';

/** Puts questions to a socket. `ask` resolves when the whole answer is there; what it asks has no effect on whoever answers. */
export type Dialect = (socket: Socket) => { ask(bytes: number): Promise<void>; close(): void };

/** PING frames, and their acknowledgements: 17 bytes each way (RFC 9113, 6.7). */
export const http2: Dialect = (socket) => {
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(frameType.settings)]));
  const countAcks = createAckCounter();
  return {
    ask(bytes) {
      const pings = Math.min(mostPings, Math.max(1, Math.ceil(bytes / pingBytes)));
      let missing = pings;
      return answered(socket, Buffer.concat(Array.from({ length: pings }, () => ping)), (chunk) => {
        missing -= countAcks(chunk);
        return missing <= 0;
      });
    },
    close: () => {},
  };
};

/** `ECHO`, in the protocol of Redis (RESP 2). */
export const redis: Dialect = (socket) => ({
  ask(bytes) {
    const length = Math.min(mostBytes, Math.max(1, bytes));
    const expected = `$${length}\r\n`.length + length + 2;
    let seen = 0;
    const question = `*2\r\n$4\r\nECHO\r\n$${length}\r\n${'x'.repeat(length)}\r\n`;
    return answered(socket, question, (chunk) => {
      seen += chunk.length;
      return seen >= expected;
    });
  },
  close: () => {},
});

/** `GET path`, over a connection that is kept. The answer is as long as it is; the question carries the bytes that are asked for, up to a few thousand. */
export const http1 =
  (path: string): Dialect =>
  (socket) => ({
    ask(bytes) {
      let text = '';
      const question = `GET ${path} HTTP/1.1\r\nHost: canary\r\nX-Padding: ${'x'.repeat(Math.min(4_096, bytes))}\r\n\r\n`;
      return answered(socket, question, (chunk) => {
        text += chunk.toString('latin1');
        const headEnd = text.indexOf('\r\n\r\n');
        if (headEnd < 0) return false;
        const [, length = '0'] = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd)) ?? [];
        return text.length >= headEnd + 4 + Number(length);
      });
    },
    close: () => {},
  });

/** `SELECT` of a constant, by somebody who is logged in. */
export const mysql =
  ({ user, password }: { user: string; password: string }): Dialect =>
  (socket) => {
    const connecting = createConnection({ stream: socket, user, password });
    connecting
      .then((connection) => connection.on('error', () => {}))
      .catch(() => {
        // Every question that waits for it hears the same, and the socket says how the connection ended.
      });
    return {
      async ask(bytes) {
        const connection = await connecting;
        await connection.query(`SELECT '${'x'.repeat(Math.min(mostBytes, Math.max(1, bytes)))}'`);
      },
      close: () => void connecting.then((connection) => connection.destroy()).catch(() => {}),
    };
  };

/** A server answers no more than a thousand pings that nobody has read the answers of (nghttp2). */
const mostPings = 200;
const pingBytes = 17;
const mostBytes = 65_536;
const frameType = { settings: 4, ping: 6 };
const ack = 1;
const ping = frame(frameType.ping, Buffer.alloc(8));

/** Length, type, flags and stream 0, then the payload (RFC 9113, 4.1). */
function frame(type: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  return Buffer.concat([head, payload]);
}

/** Walks over frames, however they are cut into chunks, and answers how many acknowledged pings each chunk completes. */
export function createAckCounter(): (chunk: Buffer) => number {
  let head = Buffer.alloc(0);
  let payloadLeft = 0;
  let isAck = false;

  return function count(chunk) {
    let acks = 0;
    let rest = chunk;
    while (rest.length > 0) {
      if (payloadLeft > 0) {
        const eaten = Math.min(payloadLeft, rest.length);
        payloadLeft -= eaten;
        rest = rest.subarray(eaten);
        if (payloadLeft === 0 && isAck) acks += 1;
        continue;
      }
      const missing = 9 - head.length;
      head = Buffer.concat([head, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (head.length < 9) break;
      payloadLeft = head.readUIntBE(0, 3);
      isAck = head.readUInt8(3) === frameType.ping && (head.readUInt8(4) & ack) !== 0;
      head = Buffer.alloc(0);
    }
    return acks;
  };
}

/** Writes the question and reads until `isWhole` says so. */
function answered(socket: Socket, question: string | Buffer, isWhole: (chunk: Buffer) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const read = (chunk: Buffer) => {
      if (!isWhole(chunk)) return;
      socket.off('data', read);
      resolve();
    };
    socket.on('data', read);
    socket.write(question);
  });
}
