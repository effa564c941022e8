import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openCanaries } from '../chaos/canary/canaries.ts';
import type { Target as FaultTarget } from '../chaos/target.ts';
import { messageOf, UsageError } from '../core/errors.ts';
import type { RunClock } from '../core/time.ts';
import { withBusiness } from './drivers/mall/shopper.ts';
import { startOpenDriver } from './drivers/open.ts';
import { visitorsOf } from './drivers/visitor.ts';
import { createJourneyLog } from './journey-log.ts';
import { startScraper } from './observe/metrics.ts';
import { createSpanStore } from './observe/spans.ts';
import { journeyLogIn } from './run-folder.ts';
import type { TargetScenario } from './scenario.ts';
import type { Steps } from './steps.ts';
import { checkPresence, resolvedFrom } from './target.ts';
import type { Testbed } from './testbed.ts';
import type { LoadLimits } from './visitor-limits.ts';

/**
 * The testbed of a target of one's own: a load driver and nothing else. There is nobody to ask, so what the mall's observers would have seen is
 * empty. Throws a `UsageError` when nobody listens at the target, or its journey cannot be loaded.
 */
export async function setUpTargetTestbed({
  scenario,
  limits,
  file,
  folder,
  seed,
  clock,
  signal,
  undo,
  steps,
  note,
}: {
  scenario: TargetScenario;
  limits: LoadLimits;
  /** The scenario's own: the threads of the load import the journey from there. */
  file: string;
  /** The run's. */
  folder: string;
  seed: number;
  clock: RunClock;
  signal: AbortSignal;
  undo: AsyncDisposableStack;
  steps: Steps;
  note: (line: string) => void;
}): Promise<Testbed> {
  const epochMs = clock.nowMs();
  steps.begin('target');
  await checkPresence(scenario.target, signal);

  steps.begin('visitors');
  const journeys = visitorsOf({ scenario: pathToFileURL(file).href, target: resolvedFrom(dirname(file), scenario.target) });
  const saying = (what: string) => (cause: unknown) => {
    if (signal.aborted) throw cause;
    throw new UsageError(`The visitors of '${scenario.name}' ${what}: ${messageOf(cause)}`, { cause });
  };
  const log = createJourneyLog({ file: journeyLogIn(folder), note });
  undo.defer(() => log.end());
  const driver = await startOpenDriver({ journeys, seed, clock, signal, onPrinted: log.take, ...limits }).catch(
    saying('could not be made ready'),
  );
  // Their journey is not ours: it may end the thread that it lives in.
  const brokeOff = saying('broke the load off');
  undo.defer(() => driver.close());
  const canaries = openCanaries({ stations: [], nowMs: clock.nowMs, signal });
  undo.defer(() => canaries.close());
  const scraper = startScraper({ targets: [], now: () => clock.nowMs() - epochMs, signal });
  undo.defer(() => scraper.close());
  return {
    gateways: [],
    replicas: [],
    tokens: [],
    crowd: () => Promise.reject(new Error("A target of one's own gets open load")),
    target: unbreakable,
    canaries,
    deaths: () => [],
    proxyDeaths: () => [],
    driver: {
      ...driver,
      play: (phase) => driver.play(phase).catch(brokeOff),
      drained: () => driver.drained().catch(brokeOff),
      finish: async () => withBusiness(await driver.finish().catch(brokeOff)),
    },
    spans: createSpanStore({ runTag: '00000000' }),
    scraper,
    auditor: { unsettled: async () => 0, read: () => Promise.reject(new Error("A target of one's own has no books")) },
    epochMs,
  };
}

/** The plan has seen to it that nobody wants to break it. */
const unbreakable: FaultTarget = {
  placesOf: () => [],
  apply: () => Promise.reject(new Error("A target of one's own cannot be broken")),
};
