import { inOneLine } from '../../core/controls.ts';
import { messageOf } from '../../core/errors.ts';
import type { RequestOutcome } from '../record.ts';
import type { Reply } from './transport.ts';

/** Why the first request of a phase and a step (both from 0) ended with this outcome. `atMs` is when it ended, on the run's clock. */
export type Reason = { phase: number; step: number; outcome: RequestOutcome; atMs: number; first: string };

/** Keeps the first reason of each phase, step and outcome of one thread, and asks for no other: so many there are at most, however many fail. */
export function createReasons() {
  const kept = new Map<string, Reason>();
  return {
    /** `why` may say that there is nothing to tell. */
    add: (failed: Omit<Reason, 'first'>, why: () => string | undefined): void => {
      const key = keyOf(failed);
      if (kept.has(key)) return;
      const first = why();
      if (first !== undefined) kept.set(key, { ...failed, first: inOneLine(first, longest) });
    },
    all: (): Reason[] => [...kept.values()],
  };
}

/** The first of all threads. */
export function reasonsTogether(threads: readonly (readonly Reason[])[]): Reason[] {
  const first = new Map<string, Reason>();
  for (const reason of threads.flat().toSorted((one, other) => one.atMs - other.atMs)) {
    if (!first.has(keyOf(reason))) first.set(keyOf(reason), reason);
  }
  return [...first.values()];
}

/**
 * What a reply was that is no good one: a broken one says so itself, of an answer its status is told, and of one that was not accepted what `accepts`
 * said of it. Undefined for one that came too late: its outcome tells all there is. `inWords` is how a protocol tells its status.
 */
export function reasonOf(
  reply: Reply,
  verdict: unknown,
  inWords: (status: number, message: string | undefined) => string = (status) => `status ${status}`,
): string | undefined {
  if (reply.kind === 'timedOut') return undefined;
  // Node has nothing but a code to say of a name with several addresses, none of which answers.
  if (reply.kind === 'broken') return withoutAsides(reply.message) || reply.code;
  if (verdict === true) return inWords(reply.status, reply.header('grpc-message'));
  if (verdict instanceof Thrown) return `accepts threw: ${messageOf(verdict.thrown)}`;
  return verdict === false ? 'accepts said no' : `accepts said neither true nor false, but gave ${kindOf(verdict)}`;
}

/** What `accepts` threw, in place of a verdict. */
export class Thrown {
  readonly thrown: unknown;

  constructor(thrown: unknown) {
    this.thrown = thrown;
  }
}

const keyOf = ({ phase, step, outcome }: Omit<Reason, 'first' | 'atMs'>) => `${phase} ${step} ${outcome}`;

/** Characters. */
const longest = 200;

/**
 * OpenSSL tells where in its sources it was: `write EPROTO 80DB…:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:…`. Node
 * gives advice on how to run it, which nobody can take here. grpc-js tells when it was, by another clock than ours.
 */
const withoutAsides = (message: string) =>
  message
    .replace(/^.*\berror:[\dA-F]+:SSL routines:[^:]*:([^:]+):.*$/s, 'TLS: $1')
    .replace(/; if the root CA is installed locally, try running Node\.js with --use-system-ca/, '')
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/, '');

const kindOf = (value: unknown) => (value === null || value === undefined ? String(value) : `a value of type ${typeof value}`);
