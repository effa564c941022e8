import { type Canaries, openCanaries } from '../chaos/canary/canaries.ts';
import { openNetwork } from '../chaos/network.ts';
import { createProcesses } from '../chaos/processes.ts';
import { type Target, targetOf } from '../chaos/target.ts';
import type { Death, Deployment } from '../compose/deployment.ts';
import { planLocal } from '../compose/local.ts';
import { seededRandom } from '../core/random.ts';
import type { RunClock } from '../core/time.ts';
import { type TuningChanges, tuningOf } from '../system/tuning.ts';
import { type OpenDriver, startOpenDriver } from './drivers/open.ts';
import { type Auditor, openAuditor } from './observe/audit.ts';
import { type Scraper, startScraper } from './observe/metrics.ts';
import { startOtlpReceiver } from './observe/otlp.ts';
import { createSpanStore, type SpanStore } from './observe/spans.ts';
import type { Plan } from './plan.ts';
import { population } from './population.ts';
import { stationsOf } from './stations.ts';
import type { Steps } from './steps.ts';
import { openToxiproxy } from './toxiproxy.ts';

/** A mall that runs, with everything around it that loads, breaks and watches it. */
export type Testbed = {
  deployment: Deployment;
  /** Where the scenario's faults are put into effect. */
  target: Target;
  /** They see from outside when a fault takes effect. */
  canaries: Canaries;
  /** Processes that have ended without being told to, of the mall and of all that it stands on. */
  deaths: () => readonly Death[];
  /** The same of the embedded Toxiproxy alone. */
  proxyDeaths: () => readonly Death[];
  driver: OpenDriver;
  spans: SpanStore;
  scraper: Scraper;
  auditor: Auditor;
  /** The run clock's milliseconds at which spans and scrapes count as 0. */
  epochMs: number;
};

/**
 * Stands everything up: receiver, backing servers, a proxy on every wire, the mall, the load driver with its shoppers logged in.
 * Whatever was started is deferred on `undo` where it was started. On return the mall answers.
 */
export async function setUpTestbed({
  plan,
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
  const { scenario, replicas } = plan;
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
  const driver = await startOpenDriver({ gateways, shoppers: scenario.shoppers, ...population, seed, clock, runTag, signal });
  undo.defer(() => driver.close());
  await driver.logIn();
  const processes = createProcesses({ control: deployment.processes, replicas });
  const target = targetOf({ network, processes });
  const faults = plan.phases.flatMap(({ phase }) => phase.faults ?? []);
  const stations = stationsOf({ faults, target, wires: local.wires, addressOf: network.addressOf, deployment });
  const canaries = openCanaries({ stations, nowMs: clock.nowMs, signal });
  undo.defer(() => canaries.close());
  const deaths = () => [...deployment.deaths(), ...toxiproxy.deaths()];
  return { deployment, target, canaries, deaths, proxyDeaths: toxiproxy.deaths, driver, spans, scraper, auditor, epochMs };
}

/** Eight hexadecimal digits that begin every trace id of the run. All zeros are kept for no trace at all. */
const tagFrom = (seed: number) => (1 + Math.floor(seededRandom(seed)() * (2 ** 32 - 1))).toString(16).padStart(8, '0').slice(0, 8);
