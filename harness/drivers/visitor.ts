import { CookieJar } from 'tough-cookie';
import { UsageError } from '../../core/errors.ts';
import { checkFields } from '../fields.ts';
import type { Ask, GrpcAsk, HttpAsk, Journey } from '../journey.ts';
import type { RequestOutcome } from '../record.ts';
import type { Target } from '../target.ts';
import { createGrpcTransport } from './grpc.ts';
import { grpcStatusInWords, outcomeOfGrpc } from './grpc-outcome.ts';
import { createHttpTransport } from './http/transport.ts';
import type { JourneyContext, JourneyModule } from './io-thread.ts';
import { outcomeOfError, outcomeOfStatus } from './outcome.ts';
import type { Reply } from './transport.ts';
import type { JourneySource, Send } from './visits.ts';

/** Visitors of a target of one's own. The journey is code, so the thread that lives it imports the scenario's file for itself. */
export const visitorsOf = (argument: { scenario: string; target: Target }): JourneyModule => ({ module: import.meta.url, argument });

export async function openJourneys(
  { scenario, target }: { scenario: string; target: Target },
  { now, timeoutMs }: JourneyContext,
): Promise<JourneySource> {
  const { journey } = ((await import(scenario)) as { default: { journey: Journey } }).default;
  const { steps, visit } = journey;
  const travel = 'http' in target ? overHttp(target, { now, timeoutMs }) : overGrpc(target, { now, timeoutMs });
  return { steps, visit, collected: () => undefined, ...travel };
}

type Travel = Pick<JourneySource, 'sender' | 'outcomeOf' | 'statusInWords' | 'connections'>;

function overHttp(
  { http: origin, insecure = false }: Extract<Target, { http: string }>,
  clock: Pick<JourneyContext, 'now' | 'timeoutMs'>,
): Travel {
  const transport = createHttpTransport({ ...clock, insecure });
  return {
    connections: transport.connections,
    outcomeOf: outcomeOfHttp,
    // Each visitor has cookies of their own, as soon as they were given one.
    sender: (): Send => {
      let jar: CookieJar | undefined;
      return (ask, traceparent, onReply) => {
        const { method, path, headers, body, readsBody = true } = httpOf(ask);
        const cookie = jar?.getCookieStringSync(origin + path);
        const extra = {
          ...(traceparent === undefined ? {} : { traceparent }),
          ...(cookie === undefined || cookie === '' ? {} : { cookie }),
        };
        const isPlain = traceparent === undefined && (cookie === undefined || cookie === '');
        transport.send(
          {
            ...{ origin, method, path, readsBody },
            ...(isPlain ? (headers === undefined ? {} : { headers }) : { headers: { ...headers, ...extra } }),
            ...(body === undefined ? {} : { body }),
          },
          (reply) => {
            if (reply.kind === 'answered') {
              for (const given of reply.headers('set-cookie')) {
                jar ??= new CookieJar(undefined, { looseMode: true });
                jar.setCookieSync(given, origin + path, { ignoreError: true });
              }
            }
            onReply(reply);
          },
        );
      };
    },
  };
}

function overGrpc(
  { grpc: address, proto, tls = false }: Extract<Target, { grpc: string }>,
  clock: Pick<JourneyContext, 'now' | 'timeoutMs'>,
): Travel {
  const transport = createGrpcTransport({ ...clock, proto, tls });
  const send: Send = (ask, traceparent, onReply) => {
    const { call, message, metadata } = grpcOf(ask);
    const all = traceparent === undefined ? metadata : { ...metadata, traceparent };
    transport.send({ address, method: call, message, ...(all === undefined ? {} : { metadata: all }) }, onReply);
  };
  return {
    connections: transport.connections,
    sender: () => send,
    outcomeOf: (reply) => (reply.kind === 'answered' ? outcomeOfGrpc(reply.status) : outcomeOfNoAnswer(reply)),
    statusInWords: grpcStatusInWords,
  };
}

const outcomeOfHttp = (reply: Reply): RequestOutcome =>
  reply.kind === 'answered' ? outcomeOfStatus(reply.status) : outcomeOfNoAnswer(reply);

const outcomeOfNoAnswer = (reply: Exclude<Reply, { kind: 'answered' }>): RequestOutcome =>
  reply.kind === 'timedOut' ? 'timeout' : outcomeOfError(reply.code);

function httpOf(ask: Ask): HttpAsk {
  if ('path' in ask) return checked(ask, httpFields);
  throw new UsageError(`Expected an HTTP request such as get('/products') for an HTTP target, got the gRPC call '${ask.call}'`);
}

function grpcOf(ask: Ask): GrpcAsk {
  if ('call' in ask) return checked(ask, grpcFields);
  throw new UsageError(`Expected a call such as call('shop.Orders/Place', {}) for a gRPC target, got ${ask.method} ${ask.path}`);
}

/** Journeys run without their types: a misspelled field would be passed over in silence. The sentence is made only for whoever needs it. */
function checked<A extends Ask>(ask: A, known: readonly string[]): A {
  for (const name in ask) if (!known.includes(name)) checkFields('a request', ask, known);
  return ask;
}

const httpFields = ['method', 'path', 'headers', 'body', 'readsBody'];
const grpcFields = ['call', 'message', 'metadata'];
