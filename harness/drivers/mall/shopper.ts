import { type Route, routeNames } from '../../../system/topology.ts';
import type { Answer, HttpAsk } from '../../journey.ts';
import { servedOutcomes } from '../../record.ts';
import type { Checkout, Recording } from '../../recording.ts';
import { createHttpTransport } from '../http/transport.ts';
import type { JourneyContext, JourneyModule } from '../io-thread.ts';
import type { OpenRecording } from '../recording-from.ts';
import { createSpans } from '../trace.ts';
import type { Reply } from '../transport.ts';
import type { JourneySource, Send } from '../visits.ts';
import { createJourneys, nextRoute, type Population, requestOf } from './draw.ts';
import { answersOfRepeated, decidedBy, orderIn, outcomeOfReply } from './result.ts';

/** What the mall's shoppers are made of. */
export type ShopperOptions = Omit<Population, 'accounts'> & {
  /** `host:port` of each; requests go round them. */
  gateways: readonly string[];
  /** JWTs of the accounts, in order. */
  tokens: readonly string[];
  runTag: string;
  /** Share of the checkouts that were made which are made once more at once with the same idempotency key, as impatient software does. */
  repeatShare: number;
};
/** What a thread collects of the mall's business. */
export type ShopperFindings = {
  checkouts: { kept: Checkout[]; overflow: number };
  repeated: { count: number; different: number; asked: number };
};

export const shoppersOf = (argument: ShopperOptions): JourneyModule => ({ module: import.meta.url, argument });

/** Puts what the threads collected of the mall's business together. A target that is no mall has none. */
export function withBusiness({ collected, ...recording }: OpenRecording): Recording {
  const all = collected as (ShopperFindings | undefined)[];
  const sum = (of: (findings: ShopperFindings) => number) =>
    all.reduce((total, findings) => total + (findings === undefined ? 0 : of(findings)), 0);
  return {
    ...recording,
    checkouts: { kept: all.flatMap((findings) => findings?.checkouts.kept ?? []), overflow: sum(({ checkouts }) => checkouts.overflow) },
    repeated: {
      asked: sum(({ repeated }) => repeated.asked),
      count: sum(({ repeated }) => repeated.count),
      different: sum(({ repeated }) => repeated.different),
    },
  };
}

/** The journey of a shopper: they browse; some look at a product then, and some of those order it. Whoever is not served leaves. */
export function openJourneys(
  { gateways, tokens, shoppers, catalogue, runTag, repeatShare }: ShopperOptions,
  { now, timeoutMs, random, thread, phaseAt }: JourneyContext,
): JourneySource {
  const transport = createHttpTransport({ timeoutMs, now });
  const origins = gateways.map((gateway) => `http://${gateway}`);
  const nextJourney = createJourneys({
    shoppers,
    catalogue,
    accounts: { count: tokens.length },
    runTag: `${runTag}-${thread.index}`,
    random,
  });
  const spanOf = createSpans({ runTag, random });
  const findings: ShopperFindings = { checkouts: { kept: [], overflow: 0 }, repeated: { count: 0, different: 0, asked: 0 } };
  let turn = thread.index;

  const send: Send = (ask, traceparent, onReply) => {
    const { method, path, headers, body } = ask as HttpAsk;
    transport.send(
      {
        origin: origins[turn++ % origins.length] ?? '',
        method,
        path,
        headers: traceparent === undefined ? { ...headers } : { ...headers, traceparent },
        ...(body === undefined ? {} : { body }),
        readsBody: path === checkoutPath ? true : isConflict,
      },
      onReply,
    );
  };

  return {
    steps: routeNames,
    sender: () => send,
    outcomeOf: outcomeOfReply,
    connections: transport.connections,
    collected: () => findings,

    visit: async ({ step, random: chance }) => {
      const journey = nextJourney();
      for (let route: Route | undefined = 'browse'; route !== undefined; ) {
        const request = requestOf(route, journey, tokens[journey.account - 1] ?? '');
        const startedMs = now();
        const answer: Answer = await step(route, request);
        if (!servedOutcomes.includes(answer.outcome)) return;
        if (route === 'checkout') {
          acknowledge({ ...journey, startedMs }, answer);
          if (chance() < repeatShare) await repeat(request, answer);
        }
        route = nextRoute(route, journey.furthest);
      }
    },
  };

  function acknowledge(
    { account, idempotencyKey, startedMs }: { account: number; idempotencyKey: string; startedMs: number },
    { text }: Answer,
  ) {
    const order = orderIn(text);
    if (order === undefined) return;
    if (findings.checkouts.kept.length < maxCheckouts) {
      findings.checkouts.kept.push({ ...order, account, idempotencyKey, phase: phaseAt(startedMs) });
    } else findings.checkouts.overflow += 1;
  }

  /** Asks for a checkout that was made once more, at the next gateway. The mall must take it for the one it knows. It is in no other count. */
  async function repeat(request: HttpAsk, first: Answer): Promise<void> {
    findings.repeated.asked += 1;
    const reply = await new Promise<Reply>((resolve) => send(request, spanOf(repetition).traceparent, resolve));
    const second = { outcome: outcomeOfReply(reply, 'checkout'), text: reply.kind === 'answered' ? reply.text : '' };
    const answers = answersOfRepeated(decidedBy(first), second);
    if (answers === 'unknown') return;
    findings.repeated.count += 1;
    if (answers === 'different') findings.repeated.different += 1;
  }
}

/** A repeated checkout goes another way through the mall than a first one, so its traces have the number of no route. */
const repetition = 0xff;
const checkoutPath = '/api/v1/orders';
const maxCheckouts = 500_000;
/** Only a no of the business says in its body what it means. */
const isConflict = (status: number) => status === 409;
