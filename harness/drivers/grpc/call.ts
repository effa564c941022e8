import { type Channel, type Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { messageOf } from '../../../core/errors.ts';
import type { Chain, Link } from '../http/chain.ts';
import type { Reply } from '../transport.ts';
import { breakOf } from './made-up.ts';
import type { Method } from './methods.ts';

/** What the calls of a transport share. */
export type Shared = { now: () => number; inFlight: Chain<Call> };

/** A channel is one connection, made when it is needed and again when it broke. */
export type Connection = { channel: Channel; inFlight: number };

/**
 * One call on one channel, which is whom grpc-js tells how it goes. `written` is when Node had handed the whole message to the system;
 * grpc-js tells it at the end of that turn. `firstByte` is when the first headers had come, or the status where there are none.
 */
export class Call implements Link<Call> {
  earlier: Call | undefined = undefined;
  later: Call | undefined = undefined;
  readonly deadlineMs: number;
  readonly #shared: Shared;
  readonly #connection: Connection;
  readonly #method: Method;
  readonly #onReply: (reply: Reply) => void;
  readonly #call: ReturnType<Channel['createCall']>;
  #isOver = false;
  #writtenMs = Number.NaN;
  #firstByteMs = Number.NaN;
  #headers: Metadata | undefined;
  #message: Buffer | undefined;
  #messages = 0;

  constructor(shared: Shared, connection: Connection, method: Method, deadlineMs: number, onReply: (reply: Reply) => void) {
    this.#shared = shared;
    this.#connection = connection;
    this.#method = method;
    this.deadlineMs = deadlineMs;
    this.#onReply = onReply;
    this.#call = connection.channel.createCall(method.path, Number.POSITIVE_INFINITY, null, null, null);
    connection.inFlight += 1;
    shared.inFlight.append(this);
  }

  start(bytes: Buffer, metadata: Metadata) {
    this.#call.start(metadata, this);
    this.#call.sendMessageWithContext({ callback: () => this.#wrote() }, bytes);
    this.#call.halfClose();
    this.#call.startRead();
  }

  onReceiveMetadata(headers: Metadata) {
    if (this.#isOver || !this.#notesFirstByte()) return;
    this.#headers = headers;
  }

  onReceiveMessage(bytes: Buffer) {
    if (this.#isOver || !this.#notesFirstByte()) return;
    this.#message = bytes;
    this.#messages += 1;
    // For the status that follows, or another message that must not be.
    this.#call.startRead();
  }

  onReceiveStatus(told: StatusObject) {
    if (this.#isOver) return;
    const broken = breakOf(told, { hasHeaders: this.#headers !== undefined, channel: this.#connection.channel });
    if (broken === undefined) {
      if (this.#notesFirstByte()) this.#answer(told);
      return;
    }
    if (!broken.wasWritten) this.#writtenMs = Number.NaN;
    this.#break(broken.code, broken.message);
  }

  /** Does nothing when the call is over. */
  #withdraw() {
    if (this.#isOver) return;
    this.#letGo();
    this.#call.cancelWithStatus(status.CANCELLED, 'Withdrawn');
  }

  /** The call's time is up: that long it took, for whoever waited. */
  giveUp() {
    this.#withdraw();
    this.#onReply({ kind: 'timedOut', ...this.#stamps(this.deadlineMs) });
  }

  close() {
    this.#withdraw();
    this.#onReply({
      kind: 'broken',
      code: 'ECLOSED',
      message: 'The transport was closed before an answer came',
      ...this.#stamps(this.#shared.now()),
    });
  }

  #wrote() {
    if (!this.#isOver) this.#writtenMs = this.#shared.now();
  }

  /** Too late is too late, also when the sweep has yet to come by. */
  #notesFirstByte(): boolean {
    const nowMs = this.#shared.now();
    if (nowMs > this.deadlineMs) this.giveUp();
    else if (Number.isNaN(this.#firstByteMs)) this.#firstByteMs = nowMs;
    return !this.#isOver;
  }

  #answer({ code, details, metadata: trailers }: StatusObject) {
    const endedMs = this.#shared.now();
    if (code === status.OK && this.#messages !== 1) {
      return this.#break('BAD_MESSAGE', `Expected one message from ${this.#method.path}, got ${this.#messages}`);
    }
    let message: unknown;
    if (code === status.OK && this.#message !== undefined) {
      try {
        message = this.#method.decode(this.#message);
      } catch (cause) {
        return this.#break('BAD_MESSAGE', `Expected an answer of ${this.#method.path} as the .proto says: ${messageOf(cause)}`);
      }
    }
    this.#letGo();
    const headers = this.#headers;
    const values = (name: string): readonly string[] => {
      if (name === 'grpc-status') return [String(code)];
      if (name === 'grpc-message') return details === '' ? [] : [details];
      return [...(headers?.get(name) ?? []), ...trailers.get(name)].map((value) =>
        typeof value === 'string' ? value : value.toString('base64'),
      );
    };
    this.#onReply({
      kind: 'answered',
      status: code,
      header: (name) => values(name)[0],
      headers: values,
      text: '',
      ...(message !== undefined && { message }),
      ...this.#stamps(endedMs),
    });
  }

  #break(code: string | undefined, message: string) {
    const nowMs = this.#shared.now();
    if (nowMs > this.deadlineMs) return this.giveUp();
    this.#letGo();
    this.#onReply({ kind: 'broken', code, message, ...this.#stamps(nowMs) });
  }

  #stamps(endedMs: number) {
    return { writtenMs: this.#writtenMs, firstByteMs: this.#firstByteMs, endedMs };
  }

  #letGo() {
    this.#isOver = true;
    this.#connection.inFlight -= 1;
    this.#shared.inFlight.remove(this);
  }
}
