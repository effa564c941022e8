import { UsageError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { Duration } from '../core/units.ts';
import type { RequestOutcome } from './record.ts';

/**
 * What one visitor does, as an async function with named steps; every arrival of the load runs it once. It is plain code: what is awaited is
 * done in turn, what is thrown is a mistake of the scenario and told as such.
 */
export type Journey<Step extends string = string> = { steps: readonly Step[]; visit: (visitor: Visitor<Step>) => Promise<void> };

export type Visitor<Step extends string = string> = {
  /**
   * Makes a request and waits for how it ended; it never throws for what the target did. The first step is meant to start when the visitor
   * arrives, each other one when the one before has ended and the visitor has thought for as long as they do. What it cannot send throws, and so
   * does an `accepts` that answers with a promise: both are told as mistakes, awaited or not. When the load has been broken off it asks for nothing:
   * the first step or thought after that throws an error that ends the visit, so that a `finally` is run; any other one never settles, and ends with
   * the process. Nobody waits for a `finally` either, only for the answers to requests that are under way.
   */
  step: (name: Step, request: Ask, how?: { accepts?: (answer: Answer) => boolean }) => Promise<Answer>;
  /**
   * Does nothing for so long, or for a time drawn evenly between two. Ends at once, with an error that ends the visit, when the load is
   * broken off; after that as a step does.
   */
  think: (from: Duration, until?: Duration) => Promise<void>;
  /** The visitor's number, from 0: no other of the phase has it. */
  number: number;
  /** Seeded: the same seed makes the same choices. */
  random: Random;
  /** Fires when the load is broken off. */
  signal: AbortSignal;
};

/** How a step ended. Without an answer the status is 0 and the rest is empty. */
export type Answer = {
  outcome: RequestOutcome;
  /** HTTP status, or gRPC status code. */
  status: number;
  /** By its lower-case name. */
  header: (name: string) => string | undefined;
  text: string;
  /** The text as JSON; undefined when it is none. */
  json: () => unknown;
  /** The decoded message of a gRPC answer. */
  message: unknown;
};

/** A request as a scenario writes it; the target's address is the scenario's. */
export type Ask = HttpAsk | GrpcAsk;
export type HttpAsk = {
  method: string;
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /** `false` throws the body of the answer away unread, for those who need none. */
  readsBody?: boolean;
};
export type GrpcAsk = { call: string; message: object; metadata?: Readonly<Record<string, string>> };

type HttpDetails = Pick<HttpAsk, 'headers' | 'readsBody'>;

/** `get('/products?page=2', { headers: { accept: 'application/json' } })` */
export const get = (path: string, details: HttpDetails = {}): HttpAsk => ({ method: 'GET', path, ...details });

/** `post('/orders', { sku: 'a-1' })`: text goes as it is, anything else as JSON. */
export const post = (path: string, body?: unknown, details: HttpDetails = {}): HttpAsk => withBody('POST', path, body, details);

/** `put('/cart/7', { pieces: 2 })` */
export const put = (path: string, body?: unknown, details: HttpDetails = {}): HttpAsk => withBody('PUT', path, body, details);

/** `patch('/cart/7', { pieces: 3 })` */
export const patch = (path: string, body?: unknown, details: HttpDetails = {}): HttpAsk => withBody('PATCH', path, body, details);

/** `del('/cart/7')` */
export const del = (path: string, details: HttpDetails = {}): HttpAsk => ({ method: 'DELETE', path, ...details });

/** A unary gRPC call: `call('shop.Orders/Place', { sku: 'a-1' })`, with the names of the target's .proto. */
export const call = (method: string, message: object = {}, details: Pick<GrpcAsk, 'metadata'> = {}): GrpcAsk => ({
  call: method,
  message,
  ...details,
});

/**
 * `journey(['list', 'buy'], async ({ step, think }) => { await step('list', get('/products')); await think('1s', '3s'); await step('buy', post('/orders', { sku: 1 })); })`:
 * the names of the steps are types, and what expectations and the report speak of.
 */
export function journey<const Step extends string>(
  steps: readonly Step[],
  visit: (visitor: Visitor<Step>) => Promise<void>,
): Journey<Step> {
  if (!Array.isArray(steps) || steps.length === 0)
    throw new UsageError("Expected the names of a journey's steps, such as ['list', 'buy'], got none");
  for (const step of steps) {
    if (typeof step !== 'string' || !/^\w[\w -]{0,39}$/.test(step)) {
      throw new UsageError(`Expected a step's name of letters, digits, '_', '-' and blanks, up to 40, got '${step}'`);
    }
  }
  const twice = steps.find((step, index) => steps.indexOf(step) !== index);
  if (twice !== undefined) throw new UsageError(`Two steps of a journey are called '${twice}'`);
  if (typeof visit !== 'function') throw new UsageError('Expected a journey to have an async function of what a visitor does, got none');
  return { steps, visit };
}

function withBody(method: string, path: string, body: unknown, { headers = {}, ...details }: HttpDetails): HttpAsk {
  if (body === undefined) return { method, path, headers, ...details };
  if (typeof body === 'string' || body instanceof Uint8Array) return { method, path, headers, body, ...details };
  const isTyped = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  const typed = isTyped ? headers : { 'content-type': 'application/json', ...headers };
  return { method, path, headers: typed, body: JSON.stringify(body), ...details };
}
