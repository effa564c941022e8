import autocannon from 'autocannon';
import { bucketCount, bucketOf } from '../../core/histogram.ts';
import { seededRandom } from '../../core/random.ts';
import { type Route, routeNames } from '../../system/topology.ts';
import { answeredWell, type RequestOutcome, servedOutcomes } from '../record.ts';
import type { Checkout } from '../recording.ts';
import { answerCalls } from './child.ts';
import { clockOf } from './clock.ts';
import { createLiveCounts, liveSecond } from './live.ts';
import { jsonOf } from './mall/body.ts';
import { createJourneys, type Journey, nextRoute, type Population, requestOf } from './mall/draw.ts';
import { outcomeOfAnswer } from './mall/outcome.ts';
import { type Order, orderIn } from './mall/result.ts';
import { outcomeOfError } from './outcome.ts';
import { createSpans } from './trace.ts';

/** The process in which autocannon keeps a fixed crowd of shoppers busy. */

export type Crowd = Omit<Population, 'accounts'> & {
  gateways: readonly string[];
  tokens: readonly string[];
  runTag: string;
  seed: number;
  epochOffsetNs: bigint;
};
export type CrowdCalls = {
  start: (crowd: Crowd) => void;
  /** Counts answers for `lastsMs`, after the connections have had half a second to open. */
  measure: (how: { connections: number; lastsMs: number }) => Promise<CrowdCount>;
  /** Keeps the crowd busy for so long, and remembers what became of everything. Tells a `LiveSecond` every second. */
  play: (phase: { name: string; connections: number; lastsMs: number }) => Promise<CrowdRows>;
};
/** `served` are successes and honest "out of stock"; all else, and connections that broke, are `errors`. */
export type CrowdCount = { served: number; errors: number; lastedMs: number };
/** Requests by the second of the phase in which they were sent; `buckets` are those of core/histogram.ts, of microseconds from sending to the end. */
export type CrowdRows = {
  seconds: { second: number; route: Route; outcome: RequestOutcome; buckets: Uint32Array }[];
  checkouts: Omit<Checkout, 'phase'>[];
  /** Shoppers who came. */
  shoppers: number;
};

/** A request that has ended; what broke has no route, for autocannon does not tell whose it was, and no start unless its time was up. */
type Ended = { outcome: RequestOutcome; endedMs: number; route?: Route; startedMs?: number; checkout?: Omit<Checkout, 'phase'> };

let crowd: ReturnType<typeof crowdOf> | undefined;
const started = () => {
  if (crowd === undefined) throw new Error('The crowd was asked for before it was started');
  return crowd;
};
const tell = answerCalls<CrowdCalls>({
  start: (options) => {
    crowd = crowdOf(options);
  },
  measure: (how) => started().measure(how),
  play: (phase) => started().play(phase),
});

function crowdOf({ gateways, tokens, shoppers, catalogue, runTag, seed, epochOffsetNs }: Crowd) {
  const now = clockOf(epochOffsetNs);
  const nextJourney = createJourneys({ shoppers, catalogue, accounts: { count: tokens.length }, runTag, random: seededRandom(seed) });
  const spanOf = createSpans({ runTag, random: seededRandom(seed + 1) });

  return {
    measure: async ({ connections, lastsMs }: { connections: number; lastsMs: number }): Promise<CrowdCount> => {
      const fromMs = now() + openingMs;
      const count = { served: 0, errors: 0 };
      await keepAllBusy({ connections, lastsMs: openingMs + lastsMs }, ({ outcome, endedMs }) => {
        if (endedMs < fromMs || endedMs >= fromMs + lastsMs) return;
        if (answeredWell.includes(outcome)) count.served += 1;
        else count.errors += 1;
      });
      return { ...count, lastedMs: lastsMs };
    },

    play: async ({ name, connections, lastsMs }: Parameters<CrowdCalls['play']>[0]): Promise<CrowdRows> => {
      const startMs = now();
      const rows = new Map<string, CrowdRows['seconds'][number]>();
      const checkouts: CrowdRows['checkouts'] = [];
      const live = createLiveCounts();
      let arrived = 0;
      const tellSecond = () => tell(liveSecond({ phase: name, atMs: now() - startMs, timeoutMs }, [live.take(connections)]));
      const telling = setInterval(tellSecond, 1_000);
      await keepAllBusy({ connections, lastsMs }, ({ route = 'browse', outcome, endedMs, startedMs = endedMs, checkout }) => {
        const second = Math.max(0, Math.floor((startedMs - startMs) / 1_000));
        const key = `${second} ${route} ${outcome}`;
        const row = rows.get(key) ?? { second, route, outcome, buckets: new Uint32Array(bucketCount) };
        rows.set(key, row);
        const bucket = bucketOf((endedMs - startedMs) * 1_000);
        row.buckets[bucket] = (row.buckets[bucket] ?? 0) + 1;
        if (route === 'browse') arrived += 1;
        if (checkout !== undefined) checkouts.push(checkout);
        live.planned();
        live.sent();
        live.ended(route, outcome, endedMs - startedMs);
      });
      clearInterval(telling);
      return { seconds: [...rows.values()], checkouts, shoppers: arrived };
    },
  };

  /** One autocannon for each gateway: its own clients, all from this process. */
  async function keepAllBusy({ connections, lastsMs }: { connections: number; lastsMs: number }, onEnded: (ended: Ended) => void) {
    await Promise.all(
      gateways.map((gateway, index) => {
        const share = Math.floor(connections / gateways.length) + (index < connections % gateways.length ? 1 : 0);
        return share === 0 ? undefined : keepBusy({ gateway, connections: share, lastsMs }, onEnded);
      }),
    );
  }

  function keepBusy(
    { gateway, connections, lastsMs }: { gateway: string; connections: number; lastsMs: number },
    onEnded: (ended: Ended) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const instance = autocannon(
        {
          url: `http://${gateway}`,
          connections,
          duration: lastsMs / 1_000,
          timeout: timeoutMs / 1_000,
          // How often it looks whether its time is up.
          sampleInt: 100,
          setupClient: (client) => client.setRequests([shopperAfterShopper(onEnded)]),
        },
        (error: unknown) => {
          if (error) reject(error);
          else resolve();
        },
      );
      instance.on('reqError', (error: Error & { code?: string }) => onEnded(brokenBy(error, now())));
    });
  }

  /** What one connection does: a shopper's steps, one after the other, then the next shopper's. autocannon has no notion of either. */
  function shopperAfterShopper(onEnded: (ended: Ended) => void): autocannon.Request {
    let journey: Journey = nextJourney();
    let upcoming: Route | undefined = 'browse';
    let route: Route = 'browse';
    let startedMs = 0;
    return {
      setupRequest: (defaults) => {
        if (upcoming === undefined) journey = nextJourney();
        route = upcoming ?? 'browse';
        upcoming = undefined;
        const { method, path, headers, body = '' } = requestOf(route, journey, tokens[journey.account - 1] ?? '');
        const { traceparent } = spanOf(routeNames.indexOf(route));
        startedMs = now();
        return { ...defaults, method: method as 'GET' | 'POST', path, headers: { ...headers, traceparent }, body: body as string };
      },
      onResponse: (status, body, _context, headers) => {
        const { code } = status === 409 ? jsonOf(body) : {};
        const outcome = outcomeOfAnswer({ status, refusedBy: refusalIn(headers), code: typeof code === 'number' ? code : undefined });
        const isServed = servedOutcomes.includes(outcome);
        const order = route === 'checkout' && isServed ? orderIn(body) : undefined;
        onEnded({ route, outcome, startedMs, endedMs: now(), ...(order === undefined ? {} : { checkout: checkoutOf(order, journey) }) });
        if (isServed) upcoming = nextRoute(route, journey.furthest);
      },
    };
  }
}

/** Of its own time limit autocannon gives no code. */
function brokenBy({ code, message }: Error & { code?: string }, endedMs: number): Ended {
  if (message === 'request timed out') return { outcome: 'timeout', startedMs: endedMs - timeoutMs, endedMs };
  return { outcome: outcomeOfError(code), endedMs };
}

/** How long a shopper waits for an answer. */
const timeoutMs = 5_000;

const checkoutOf = (order: Order, { account, idempotencyKey }: Journey): Omit<Checkout, 'phase'> => ({ ...order, account, idempotencyKey });

/** Connections are opened one by one and the first answers come from cold code: neither says what the mall can do. */
const openingMs = 500;

function refusalIn(headers: autocannon.Request['headers']): string | undefined {
  const name = Object.keys(headers ?? {}).find((candidate) => candidate.toLowerCase() === 'x-refused-by');
  const value = name === undefined ? undefined : headers?.[name];
  return typeof value === 'string' ? value : undefined;
}
