import { connect, isIP, type Socket } from 'node:net';
import { type SecureContext, connect as secureConnect } from 'node:tls';
import type { HttpRequest, Reply, Stamps } from '../transport.ts';
import { Answer, BadAnswer, headerValues } from './answer.ts';
import type { Chain, Link } from './chain.ts';
import type { Wire } from './request-text.ts';

/** One request and whom to tell how it ended. */
export class Exchange implements Link<Exchange> {
  earlier: Exchange | undefined = undefined;
  later: Exchange | undefined = undefined;
  readonly connection: Connection;
  readonly wire: Wire;
  readonly isToHead: boolean;
  readonly readsBody: boolean | ((status: number) => boolean);
  readonly deadlineMs: number;
  readonly onReply: (reply: Reply) => void;
  writtenMs = Number.NaN;
  firstByteMs = Number.NaN;

  constructor(connection: Connection, wire: Wire, { method, readsBody }: HttpRequest, deadlineMs: number, onReply: (reply: Reply) => void) {
    this.connection = connection;
    this.wire = wire;
    this.isToHead = method === 'HEAD';
    this.readsBody = readsBody;
    this.deadlineMs = deadlineMs;
    this.onReply = onReply;
  }
}

/** What the connections of a transport share. */
export type Shared = {
  now: () => number;
  /** Where sockets put what they read, one after the other: it is taken out before the next one reads. */
  readBuffer: Buffer;
  inFlight: Chain<Exchange>;
  open: Set<Connection>;
};

/** Where a connection leads, and those to there that are free: the warmest last. */
export type Origin = {
  host: string;
  port: number;
  /** Undefined for plain HTTP. */
  security: { context: SecureContext; isVerified: boolean } | undefined;
  free: Chain<Connection>;
};

/**
 * One socket, with one request on it at a time. What was broken or late is destroyed together with its request, so nothing that
 * comes later can be taken for the answer to another.
 */
export class Connection implements Link<Connection> {
  earlier: Connection | undefined = undefined;
  later: Connection | undefined = undefined;
  freeSinceMs = 0;
  readonly #shared: Shared;
  readonly #origin: Origin;
  readonly #socket: Socket;
  readonly #answer = new Answer();
  #exchange: Exchange | undefined;
  #isConnected = false;
  #isFree = false;

  constructor(shared: Shared, origin: Origin) {
    this.#shared = shared;
    this.#origin = origin;
    this.#socket = this.#open();
    this.#socket.on('end', () => this.#readEnd());
    this.#socket.on('error', (error: Error & { code?: string }) => this.#break(error.code, error.message));
    this.#socket.on('close', () => {
      shared.open.delete(this);
      this.#break('ECONNRESET', 'The connection was closed');
    });
    shared.open.add(this);
  }

  /** Sends at once, or as soon as it is connected. The connection must be new or free. */
  carry(exchange: Exchange) {
    if (this.#isFree) this.#leaveFree();
    this.#exchange = exchange;
    this.#shared.inFlight.append(exchange);
    if (this.#isConnected) this.#write(exchange);
  }

  /** The exchange's time is up: that long it took, for whoever waited. */
  giveUp(exchange: Exchange) {
    this.#letGo(exchange);
    this.destroy();
    const { writtenMs, firstByteMs, deadlineMs } = exchange;
    exchange.onReply({ kind: 'timedOut', writtenMs, firstByteMs, endedMs: deadlineMs });
  }

  /** Ends an exchange that is under way as broken. */
  async close() {
    const closed = this.#socket.closed || new Promise((resolve) => this.#socket.once('close', resolve));
    this.#break('ECLOSED', 'The transport was closed before an answer came');
    this.destroy();
    await closed;
  }

  destroy() {
    if (this.#isFree) this.#leaveFree();
    this.#socket.destroy();
  }

  #open(): Socket {
    const { host, port, security } = this.#origin;
    if (security === undefined) {
      const onread = {
        buffer: this.#shared.readBuffer,
        callback: (size: number) => {
          this.#read(this.#shared.readBuffer, size);
          return true;
        },
      };
      return connect({ host, port, noDelay: true, onread }, () => this.#startWriting());
    }
    const { context, isVerified } = security;
    const socket = secureConnect(
      {
        host,
        port,
        secureContext: context,
        rejectUnauthorized: isVerified,
        ALPNProtocols: ['http/1.1'],
        ...(isIP(host) === 0 && { servername: host }),
      },
      () => this.#startWriting(),
    );
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk, chunk.length));
    return socket;
  }

  #startWriting() {
    this.#isConnected = true;
    if (this.#exchange !== undefined) this.#write(this.#exchange);
  }

  #write(exchange: Exchange) {
    const socket = this.#socket;
    const { text, rest } = exchange.wire;
    this.#answer.begin(exchange.isToHead, exchange.readsBody);
    if (rest === undefined) socket.write(text, 'latin1');
    else {
      socket.cork();
      socket.write(text, 'latin1');
      socket.write(rest);
      socket.uncork();
    }
    // The system takes small requests at once. Otherwise nothing, put behind the rest, tells when it has taken all.
    if (socket.writableLength === 0) exchange.writtenMs = this.#shared.now();
    else {
      socket.write('', () => {
        if (this.#exchange === exchange) exchange.writtenMs = this.#shared.now();
      });
    }
  }

  #read(bytes: Buffer, size: number) {
    const exchange = this.#exchange;
    // Nobody asked.
    if (exchange === undefined) return this.destroy();
    const nowMs = this.#shared.now();
    // Too late is too late, also when the sweep has yet to come by.
    if (nowMs > exchange.deadlineMs) return this.giveUp(exchange);
    if (Number.isNaN(exchange.firstByteMs)) exchange.firstByteMs = nowMs;
    const answer = this.#answer;
    let end: number;
    try {
      end = answer.read(bytes, 0, size);
    } catch (error) {
      return this.#breakFor(error);
    }
    if (!answer.isWhole) return;
    const isReusable = answer.keepsConnection && end === size && !exchange.wire.closesConnection && !Number.isNaN(exchange.writtenMs);
    this.#finish(exchange, { nowMs, isReusable });
  }

  #readEnd() {
    const exchange = this.#exchange;
    this.destroy();
    if (exchange === undefined) return;
    const nowMs = this.#shared.now();
    if (nowMs > exchange.deadlineMs) return this.giveUp(exchange);
    try {
      this.#answer.readEnd();
    } catch (error) {
      return this.#breakFor(error);
    }
    this.#finish(exchange, { nowMs, isReusable: false });
  }

  #finish(exchange: Exchange, { nowMs, isReusable }: { nowMs: number; isReusable: boolean }) {
    this.#letGo(exchange);
    // Free before the reply is told: whoever sends again at once gets the warmest connection.
    if (isReusable) {
      this.#isFree = true;
      this.freeSinceMs = nowMs;
      this.#origin.free.append(this);
    } else this.destroy();
    const { status, headerLines, text, isCut } = this.#answer;
    const { writtenMs, firstByteMs } = exchange;
    exchange.onReply(new Answered({ status, headerLines, text, isCut }, { writtenMs, firstByteMs, endedMs: nowMs }));
  }

  #breakFor(error: unknown) {
    if (!(error instanceof BadAnswer)) throw error;
    this.#break(error.code, error.message);
  }

  #break(code: string | undefined, message: string) {
    const exchange = this.#exchange;
    if (exchange === undefined) return this.destroy();
    const nowMs = this.#shared.now();
    if (nowMs > exchange.deadlineMs) return this.giveUp(exchange);
    this.#letGo(exchange);
    this.destroy();
    const { writtenMs, firstByteMs } = exchange;
    exchange.onReply({ kind: 'broken', code, message, writtenMs, firstByteMs, endedMs: nowMs });
  }

  #letGo(exchange: Exchange) {
    this.#exchange = undefined;
    this.#shared.inFlight.remove(exchange);
  }

  #leaveFree() {
    this.#isFree = false;
    this.#origin.free.remove(this);
  }
}

/** A class, because few ever look at the headers: two functions for each answer would be made in vain. */
class Answered implements AnsweredReply {
  readonly kind = 'answered';
  readonly status: number;
  readonly text: string;
  readonly isCut?: true;
  readonly writtenMs: number;
  readonly firstByteMs: number;
  readonly endedMs: number;
  readonly #headerLines: Answer['headerLines'];

  constructor(
    { status, headerLines, text, isCut }: Pick<Answer, 'status' | 'headerLines' | 'text' | 'isCut'>,
    { writtenMs, firstByteMs, endedMs }: Stamps,
  ) {
    this.status = status;
    this.text = text;
    if (isCut) this.isCut = true;
    this.writtenMs = writtenMs;
    this.firstByteMs = firstByteMs;
    this.endedMs = endedMs;
    this.#headerLines = headerLines;
  }

  header(name: string): string | undefined {
    return headerValues(this.#headerLines, name)[0];
  }

  headers(name: string): readonly string[] {
    return headerValues(this.#headerLines, name);
  }
}

type AnsweredReply = Extract<Reply, { kind: 'answered' }>;
