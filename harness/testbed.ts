import { type Canaries, openCanaries } from '../chaos/canary/canaries.ts';
import { openNetwork } from '../chaos/network.ts';
import { createProcesses } from '../chaos/processes.ts';
import { type Target, targetOf } from '../chaos/target.ts';
import type { Death, Replica } from '../compose/deployment.ts';
import { planLocal } from '../compose/local.ts';
import { seededRandom } from '../core/random.ts';
import type { RunClock } from '../core/time.ts';
import { type TuningChanges, tuningOf } from '../system/tuning.ts';
import { playCrowd } from './drivers/crowd.ts';
import { type PlayedCrowd, withCrowds } from './drivers/crowd-recording.ts';
import { createHttpTransport } from './drivers/http/transport.ts';
import { logIn } from './drivers/mall/log-in.ts';
import { shoppersOf, withBusiness } from './drivers/mall/shopper.ts';
import { type LiveSecond, type OpenDriver, startOpenDriver } from './drivers/open.ts';
import { type Auditor, openAuditor } from './observe/audit.ts';
import { type Scraper, startScraper } from './observe/metrics.ts';
import { startOtlpReceiver } from './observe/otlp.ts';
import { createSpanStore, type SpanStore } from './observe/spans.ts';
import type { Plan } from './plan.ts';
import { population } from './population.ts';
import type { Recording } from './recording.ts';
import type { MallScenario } from './scenario.ts';
import { stationsOf } from './stations.ts';
import type { Steps } from './steps.ts';
import { openToxiproxy } from './toxiproxy.ts';

/** What is put to the test while it runs, with everything around it that loads, breaks and watches it. */
export type Testbed = {
  /** `host:port` of each. */
  gateways: readonly string[];
  /** Processes of the mall; none of a target of one's own. */
  replicas: readonly Replica[];
  /** Where the scenario's faults are put into effect. */
  target: Target;
  /** They see from outside when a fault takes effect. */
  canaries: Canaries;
  /** Processes that have ended without being told to, of the mall and of all that it stands on. */
  deaths: () => readonly Death[];
  /** The same of the embedded Toxiproxy alone. */
  proxyDeaths: () => readonly Death[];
  driver: Omit<OpenDriver, 'finish'> & { finish: () => Promise<Recording> };
  /** JWTs of the accounts, in order. */
  tokens: readonly string[];
  /** Plays a phase of closed load; what it saw is part of the driver's recording then. */
  crowd: (
    phase: { name: string; shoppers: number; lastsMs: number; signal: AbortSignal },
    onSecond: (live: LiveSecond) => void,
  ) => Promise<void>;
  spans: SpanStore;
  scraper: Scraper;
  auditor: Pick<Auditor, 'unsettled' | 'read'>;
  /** The run clock's milliseconds at which spans and scrapes count as 0. */
  epochMs: number;
};

/**
 * Stands everything up: receiver, backing servers, a proxy on every wire, the mall, the load driver with its shoppers logged in.
 * Whatever was started is deferred on `undo` where it was started. On return the mall answers.
 */
export async function setUpTestbed({
  plan,
  scenario,
  folder,
  seed,
  tuning,
  clock,
  signal,
  undo,
  steps,
  note,
}: {
  plan: Plan;
  scenario: MallScenario;
  folder: string;
  seed: number;
  /** Changes of the mall's tuning, each on top of those before. */
  tuning: readonly TuningChanges[];
  clock: RunClock;
  signal: AbortSignal;
  undo: AsyncDisposableStack;
  steps: Steps;
  note: (line: string) => void;
}): Promise<Testbed> {
  const { replicas } = plan;
  const epochMs = clock.nowMs();
  const now = () => clock.nowMs() - epochMs;
  const runTag = tagFrom(seed);

  steps.begin('backing servers');
  const spans = createSpanStore({ runTag });
  const receiver = await startOtlpReceiver({ epochMs, store: spans });
  undo.defer(() => receiver.close());
  const local = await planLocal({ replicas, folder, otlp: receiver.address, signal, undo, progress: note });
  const toxiproxy = await openToxiproxy({ folder, clock, signal, undo });
  await local.startServers();
  const network = await openNetwork({ ...toxiproxy, wires: local.wires, signal });
  // A server that is gone has taken its proxies along.
  undo.defer(async () => (toxiproxy.deaths().length === 0 ? await network.close() : undefined));

  steps.begin('mall');
  const deployment = await local.startMall({
    addressOf: network.addressOf,
    epochOffsetNs: clock.epochOffsetNs,
    tuning: (service) => tuningOf(service, ...tuning),
    stock: scenario.mall.stock ?? {},
    shoppers: population.accounts.count,
  });
  const targets = deployment.replicas.map(({ instance, admin }) => ({ instance, url: `http://${admin}/metrics` }));
  const scraper = startScraper({ targets, now, signal });
  undo.defer(() => scraper.close());
  const auditor = await openAuditor(deployment, { runTag });
  undo.defer(() => auditor.close());

  steps.begin('shoppers');
  const { gateways } = deployment;
  const tokens = await logInAll(gateways, clock.nowMs);
  const { catalogue } = population;
  const journeys = shoppersOf({ gateways, tokens, shoppers: scenario.shoppers, catalogue, runTag, repeatShare });
  const driver = await startOpenDriver({ journeys, seed, clock, runTag, signal, ...plan.limits });
  undo.defer(() => driver.close());
  const processes = createProcesses({ control: deployment.processes, replicas });
  const target = targetOf({ network, processes });
  const faults = plan.phases.flatMap(({ phase }) => phase.faults ?? []);
  const stations = stationsOf({ faults, target, wires: local.wires, addressOf: network.addressOf, deployment });
  const canaries = openCanaries({ stations, nowMs: clock.nowMs, signal });
  undo.defer(() => canaries.close());
  const deaths = () => [...deployment.deaths(), ...toxiproxy.deaths()];
  const crowds: PlayedCrowd[] = [];
  return {
    gateways,
    replicas: deployment.replicas,
    target,
    canaries,
    deaths,
    proxyDeaths: toxiproxy.deaths,
    driver: {
      ...driver,
      finish: async () => withCrowds(withBusiness(await driver.finish()), crowds),
    },
    tokens,
    crowd: async (phase, onSecond) => {
      const { name, shoppers: connections, lastsMs } = phase;
      const crowd = { gateways, tokens, shoppers: scenario.shoppers, catalogue, runTag, seed: seed + 7 * (1 + crowds.length) };
      const { epochOffsetNs } = clock;
      const rows = await playCrowd({ ...crowd, epochOffsetNs, name, connections, lastsMs, signal: phase.signal }, onSecond);
      crowds.push({ phase: name, ...rows });
    },
    spans,
    scraper,
    auditor,
    epochMs,
  };
}

async function logInAll(gateways: readonly string[], now: () => number): Promise<string[]> {
  const transport = createHttpTransport({ timeoutMs: 10_000, now });
  try {
    return await logIn(transport, { gateways, accounts: population.accounts });
  } finally {
    await transport.close();
  }
}

/** Share of the checkouts that were made which are made once more. */
const repeatShare = 0.02;

/** Eight hexadecimal digits that begin every trace id of the run. All zeros are kept for no trace at all. */
const tagFrom = (seed: number) => (1 + Math.floor(seededRandom(seed)() * (2 ** 32 - 1))).toString(16).padStart(8, '0').slice(0, 8);
