/**
 * One request and how it ended, whatever the protocol. Times are milliseconds of the clock that the transport was given; a stamp that never
 * came is NaN. `written` is when the last byte of the request had been handed to the system: waiting for a connection lies before it.
 */
export type Stamps = { writtenMs: number; firstByteMs: number; endedMs: number };
export type Reply = Stamps &
  (
    | {
        kind: 'answered';
        /** HTTP status, or gRPC status code. */
        status: number;
        /** A header (or metadata, or trailer) by its lower-case name; the first value, where there are several. */
        header: (name: string) => string | undefined;
        /** Every value of a header: for `set-cookie`. */
        headers: (name: string) => readonly string[];
        /** HTTP: the body as text where it was asked for, else ''. gRPC: see `message`. */
        text: string;
        /** HTTP: the body was longer than is kept (1 MiB), and `text` is its beginning. */
        isCut?: true;
        /** gRPC: the decoded answer. */
        message?: unknown;
      }
    /** No whole answer came: a connection that could not be made, was reset or closed, or spoke no HTTP. `code` as in Node's errors. */
    | { kind: 'broken'; code: string | undefined; message: string }
    /** Nothing came in time. `endedMs` is when the time was up: the true duration is at least that long. */
    | { kind: 'timedOut' }
  );

export type Transport<Request> = {
  /** Sends at once and calls back exactly once, never before it returns. The time limit counts from now. */
  send: (request: Request, onReply: (reply: Reply) => void) => void;
  /** Connections that are open now, and the most that were at one time. */
  connections: () => { open: number; peak: number };
  close: () => Promise<void>;
};

/** `origin` such as `http://127.0.0.1:8080` or `https://…`, without a path. */
export type HttpRequest = {
  origin: string;
  method: string;
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /** Bodies are counted and thrown away unless they are asked for: by `true`, or for some statuses. */
  readsBody: boolean | ((status: number) => boolean);
};

/** `method` as in `shop.Orders/Place`; `message` is what the .proto's request type says. */
export type GrpcRequest = { address: string; method: string; message: object; metadata?: Readonly<Record<string, string>> };
