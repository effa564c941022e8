import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import type { Deployment } from '../compose/deployment.ts';
import { planLocal } from '../compose/local.ts';
import { runClock } from '../core/time.ts';
import { startOtlpReceiver } from '../harness/observe/otlp.ts';
import { type TuningChange, tuningOf } from '../system/tuning.ts';
import { type Bench, type Figure, median } from './figure.ts';

/**
 * What governance costs a whole path, gateway → user → Redis: two malls stand side by side, one governed and one with every mechanism off but the cache, and
 * the same closed crowd asks them by turns for an account that is cached. Once as the mall is run, with its traces, and once without them,
 * where the same governance is a larger part of less work.
 */
export const bench: Bench = {
  about: 'Throughput of gateway → user → Redis, governed and not, in turns of one run',
  async measure(say) {
    const traced = await compare({ tracing: { enabled: true } }, 'traced', say);
    const untraced = await compare({ tracing: { enabled: false } }, 'not traced', say);
    return [...traced, ...untraced];
  },
};

const governed: TuningChange = {
  // The smoothed reading never gets there, so everything is judged and nothing is turned away: sheds would make the path look fast.
  shedding: { cpuThresholdMilli: 999 },
};
const ungoverned: TuningChange = {
  breaker: { enabled: false },
  shedding: { enabled: false },
  balancing: { policy: 'round_robin' },
  deadlines: { enabled: false },
  limits: { enabled: false },
};

async function compare(base: TuningChange, title: string, say: (line: string) => void): Promise<Figure[]> {
  await using undo = new AsyncDisposableStack();
  const malls = [await standUp({ ...base, ...governed }, undo), await standUp({ ...base, ...ungoverned }, undo)] as const;
  const rounds: { governed: Round; ungoverned: Round }[] = [];
  for (let round = 0; round <= measuredRounds; round += 1) {
    // The mall that goes second finds a warmer machine, so they take turns.
    const order = round % 2 === 0 ? malls : malls.toReversed();
    const seen = new Map<Mall, Round>();
    for (const mall of order) seen.set(mall, await play(mall));
    const [one, other] = malls.map((mall) => seen.get(mall));
    if (one === undefined || other === undefined) throw new RangeError('Expected a round of both malls');
    say(`${title}, round ${round}: ${Math.round(one.perSecond)} governed, ${Math.round(other.perSecond)} not`);
    // The first only warms both up.
    if (round > 0) rounds.push({ governed: one, ungoverned: other });
  }
  const over = (read: (round: (typeof rounds)[number]) => number) => median(rounds.map(read));
  return [
    { name: `governed, ${title}`, unit: 'requests/s', ...over(({ governed }) => governed.perSecond) },
    { name: `without governance, ${title}`, unit: 'requests/s', ...over(({ ungoverned }) => ungoverned.perSecond) },
    {
      name: `throughput kept, ${title}`,
      unit: '%',
      goal: { atLeast: 80 },
      ...over(({ governed, ungoverned }) => (governed.perSecond / ungoverned.perSecond) * 100),
    },
  ];
}

const measuredRounds = 6;
const roundSeconds = 4;
const connections = 16;

/** A request for each connection: askers of one account would share their answers, and Redis would hardly be asked. */
type Mall = { url: string; requests: { path: string; headers: Record<string, string> }[] };
type Round = { perSecond: number };

async function standUp(change: TuningChange, undo: AsyncDisposableStack): Promise<Mall> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-path-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const clock = runClock();
  const otlp = await startOtlpReceiver({ epochMs: clock.nowMs(), store: { add: () => undefined } });
  undo.defer(otlp.close);
  const replicas = { gateway: 1, user: 1, product: 1, inventory: 1, orders: 1, payment: 1 };
  const signal = new AbortController().signal;
  const plan = await planLocal({ replicas, folder, otlp: otlp.address, signal, undo, progress: () => undefined });
  const trueAddress = new Map(plan.wires.map(({ name, upstream }) => [name, upstream]));
  await plan.startServers();
  const deployment = await plan.startMall({
    addressOf: (wire) => trueAddress.get(wire) ?? '',
    epochOffsetNs: clock.epochOffsetNs,
    tuning: (service) => tuningOf(service, { mall: change }),
    stock: {},
    shoppers: 1,
  });
  return logIn(deployment);
}

/** Shoppers of our own, so that nothing has to be known of those the mall was seeded with. */
async function logIn({ gateways: [gateway = ''] }: Deployment): Promise<Mall> {
  const url = `http://${gateway}`;
  const requests: Mall['requests'] = [];
  for (let shopper = 0; shopper < connections; shopper += 1) {
    const newcomer = { mobile: `159${String(shopper).padStart(8, '0')}`, name: 'Bench', password: 'only for this run' };
    await post(`${url}/api/v1/user/register`, newcomer);
    const { token, user } = await post(`${url}/api/v1/user/login`, newcomer);
    requests.push({ path: `/api/v1/user/${user.id}`, headers: { authorization: `Bearer ${token}` } });
  }
  return { url, requests };
}

async function post(url: string, body: object): Promise<{ token: string; user: { id: number } }> {
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`Expected ${url} to answer 200, got ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { data: { token: string; user: { id: number } } }).data;
}

async function play({ url, requests }: Mall): Promise<Round> {
  let next = 0;
  const crowd = autocannon({
    url,
    connections,
    duration: roundSeconds,
    setupClient: (client) => client.setRequests([requests[next++] ?? {}]),
  });
  const { duration, errors, non2xx, '2xx': answered } = await crowd;
  if (errors + non2xx > 0) throw new Error(`Expected every request to be answered, got ${errors} errors and ${non2xx} other answers`);
  return { perSecond: answered / duration };
}
