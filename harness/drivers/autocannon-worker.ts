import { performance } from 'node:perf_hooks';
import autocannon from 'autocannon';
import { seededRandom } from '../../core/random.ts';
import type { Route } from '../../system/topology.ts';
import { answeredWell, servedOutcomes } from '../record.ts';
import { jsonOf } from './body.ts';
import { answerCalls } from './child.ts';
import { createJourneys, type Journey, nextRoute, type Population, requestOf } from './journey.ts';
import { outcomeOfAnswer } from './outcome.ts';
import { createShopperSpans } from './trace.ts';

/** The process in which autocannon keeps a fixed crowd of shoppers busy. */

export type Crowd = Omit<Population, 'accounts'> & { gateways: readonly string[]; tokens: readonly string[]; runTag: string; seed: number };
export type CrowdCalls = {
  start: (crowd: Crowd) => void;
  /** Counts answers for `lastsMs`, after the connections have had half a second to open. */
  measure: (how: { connections: number; lastsMs: number }) => Promise<CrowdCount>;
};
/** `served` are successes and honest "out of stock"; all else, and connections that broke, are `errors`. */
export type CrowdCount = { served: number; errors: number; lastedMs: number };

let crowd: ReturnType<typeof crowdOf> | undefined;
answerCalls<CrowdCalls>({
  start: (options) => {
    crowd = crowdOf(options);
  },
  measure: (how) => {
    if (crowd === undefined) throw new Error('The crowd was asked for before it was started');
    return crowd.measure(how);
  },
});

function crowdOf({ gateways, tokens, shoppers, catalogue, runTag, seed }: Crowd) {
  const nextJourney = createJourneys({ shoppers, catalogue, accounts: { count: tokens.length }, runTag, random: seededRandom(seed) });
  const shopperSpan = createShopperSpans({ runTag, random: seededRandom(seed + 1) });

  return {
    measure: async ({ connections, lastsMs }: { connections: number; lastsMs: number }): Promise<CrowdCount> => {
      const fromMs = performance.now() + openingMs;
      const count = { served: 0, errors: 0 };
      const note = (isServed: boolean) => {
        const nowMs = performance.now();
        if (nowMs < fromMs || nowMs >= fromMs + lastsMs) return;
        if (isServed) count.served += 1;
        else count.errors += 1;
      };
      await Promise.all(
        gateways.map((gateway, index) => {
          const share = Math.floor(connections / gateways.length) + (index < connections % gateways.length ? 1 : 0);
          return share === 0 ? undefined : keepBusy({ gateway, connections: share, lastsMs: openingMs + lastsMs }, note);
        }),
      );
      return { ...count, lastedMs: lastsMs };
    },
  };

  /** One autocannon for each gateway: its own clients, all from this process. */
  function keepBusy(
    { gateway, connections, lastsMs }: { gateway: string; connections: number; lastsMs: number },
    note: (isServed: boolean) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const instance = autocannon(
        {
          url: `http://${gateway}`,
          connections,
          duration: lastsMs / 1_000,
          timeout: 5,
          // How often it looks whether its time is up.
          sampleInt: 100,
          setupClient: (client) => client.setRequests([shopperAfterShopper(note)]),
        },
        (error: unknown) => {
          if (error) reject(error);
          else resolve();
        },
      );
      instance.on('reqError', () => note(false));
    });
  }

  /** What one connection does: a shopper's steps, one after the other, then the next shopper's. autocannon has no notion of either. */
  function shopperAfterShopper(note: (isServed: boolean) => void): autocannon.Request {
    let journey: Journey = nextJourney();
    let upcoming: Route | undefined = 'browse';
    let route: Route = 'browse';
    return {
      setupRequest: (defaults) => {
        if (upcoming === undefined) journey = nextJourney();
        route = upcoming ?? 'browse';
        upcoming = undefined;
        const token = tokens[journey.account - 1] ?? '';
        return { ...defaults, body: '', ...requestOf(route, journey, { token, traceparent: shopperSpan(route).traceparent }) };
      },
      onResponse: (status, body, _context, headers) => {
        const { code } = status === 409 ? jsonOf(body) : {};
        const outcome = outcomeOfAnswer({ status, refusedBy: refusalIn(headers), code: typeof code === 'number' ? code : undefined });
        note(answeredWell.includes(outcome));
        if (servedOutcomes.includes(outcome)) upcoming = nextRoute(route, journey.furthest);
      },
    };
  }
}

/** Connections are opened one by one and the first answers come from cold code: neither says what the mall can do. */
const openingMs = 500;

function refusalIn(headers: autocannon.Request['headers']): string | undefined {
  const name = Object.keys(headers ?? {}).find((candidate) => candidate.toLowerCase() === 'x-refused-by');
  const value = name === undefined ? undefined : headers?.[name];
  return typeof value === 'string' ? value : undefined;
}
