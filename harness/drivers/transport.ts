import { buildConnector, Client, type Dispatcher } from 'undici';
import type { RouteRequest } from './journey.ts';

/** How an exchange ended. Times are in milliseconds of the clock that was passed in; `body` is there where it was asked for. */
export type Reply = { endedMs: number } & (
  | { kind: 'answered'; status: number; refusedBy: string | undefined; body: string }
  | { kind: 'broken'; code: string | undefined; message: string }
  | { kind: 'timedOut' }
);

export type Transport = {
  /**
   * Sends at once and calls back exactly once. The time limit counts from now. Bodies of 409 answers are read
   * always, others when `readsBody`.
   */
  send: (request: RouteRequest & { gateway: string; readsBody: boolean }, onReply: (reply: Reply) => void) => void;
  close: () => Promise<void>;
};

/**
 * Keep-alive connections to each gateway, one request at a time on each, and no limit to their number: a capped pool would queue requests
 * that shoppers have already made, and hide how the mall sheds them. Redirects, retries and cookies have no place here, so it dispatches
 * below `request()`. undici's own Pool searches all its connections for a free one, which is too dear when thousands wait: here the
 * free ones lie on a stack, the warmest on top.
 */
export function createTransport({
  gateways,
  timeoutMs,
  now,
}: {
  gateways: readonly string[];
  timeoutMs: number;
  now: () => number;
}): Transport {
  const connect = buildConnector({ timeout: timeoutMs });
  const free = new Map(gateways.map((gateway) => [gateway, [] as Client[]]));
  // In order of dispatch, and so in order of deadline: the oldest come first.
  const inFlight = new Set<Exchange>();

  const sweep = setInterval(() => {
    const nowMs = now();
    for (const exchange of inFlight) {
      if (exchange.deadlineMs > nowMs) break;
      exchange.giveUp();
    }
  }, sweepEveryMs);

  return {
    send: ({ gateway, readsBody, ...request }, onReply) => {
      const stack = free.get(gateway);
      if (stack === undefined) throw new Error(`'${gateway}' is not one of the gateways ${gateways.join(', ')}`);
      // Time limits are kept by the sweep, for all requests with one timer.
      const client = stack.pop() ?? new Client(`http://${gateway}`, { connect, headersTimeout: 0, bodyTimeout: 0 });
      const exchange = new Exchange({ now, readsBody, deadlineMs: now() + timeoutMs }, (reply) => {
        inFlight.delete(exchange);
        // What broke or hangs is not used again; destroying it also withdraws a request that still waits for its connection.
        if (reply.kind === 'answered') stack.push(client);
        else client.destroy(null, () => {});
        onReply(reply);
      });
      inFlight.add(exchange);
      client.dispatch(request, exchange);
    },
    close: async () => {
      clearInterval(sweep);
      await Promise.all([...free.values()].flat().map((client) => client.destroy()));
    },
  };
}

/** How late a time limit may be noticed. It is recorded as what it was meant to be. */
const sweepEveryMs = 10;
const longestBody = 65_536;

/** One request and its answer. A class, because undici calls these methods once each for every request and shared ones are cheapest. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly deadlineMs: number;
  readonly #now: () => number;
  readonly #readsBody: boolean;
  readonly #onReply: (reply: Reply) => void;
  #status = 0;
  #refusedBy: string | undefined;
  #body = '';
  #isOver = false;

  constructor(
    { now, readsBody, deadlineMs }: { now: () => number; readsBody: boolean; deadlineMs: number },
    onReply: (reply: Reply) => void,
  ) {
    this.#now = now;
    this.#readsBody = readsBody;
    this.deadlineMs = deadlineMs;
    this.#onReply = onReply;
  }

  /** undici asks for it. */
  onRequestStart() {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>) {
    this.#status = status;
    const refusedBy = headers['x-refused-by'];
    if (typeof refusedBy === 'string') this.#refusedBy = refusedBy;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer) {
    if ((this.#readsBody || this.#status === 409) && this.#body.length < longestBody) this.#body += chunk.toString();
  }

  onResponseEnd() {
    const endedMs = this.#now();
    // Too late is too late, also when the sweep has yet to come by.
    if (endedMs > this.deadlineMs) return this.giveUp();
    this.#end({
      kind: 'answered',
      endedMs,
      status: this.#status,
      refusedBy: this.#refusedBy,
      body: this.#body,
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }) {
    this.#end({ kind: 'broken', endedMs: this.#now(), code: error.code, message: error.message });
  }

  /** The shopper has waited for as long as they would: that long it took, for them. */
  giveUp() {
    this.#end({ kind: 'timedOut', endedMs: this.deadlineMs });
  }

  #end(reply: Reply) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onReply(reply);
  }
}
