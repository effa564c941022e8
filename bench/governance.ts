import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ConsecutiveBreaker, circuitBreaker, handleAll, SamplingBreaker } from 'cockatiel';
import CircuitBreaker from 'opossum';
import { seededRandom } from '../core/random.ts';
import { createBreaker } from '../system/governance/breaker.ts';
import { createTurnClock, monotonicNs } from '../system/governance/clock.ts';
import { guardedBy } from '../system/governance/guarded.ts';
import { createTokenBuckets } from '../system/governance/limiter.ts';
import { createNode, finish, pick } from '../system/governance/p2c.ts';
import { createShedder } from '../system/governance/shedder.ts';
import { type Bench, type Figure, median } from './figure.ts';

/**
 * What a decision costs. Every contestant has a loop of its own, so that none is compiled for the others' sake; they take turns for many
 * rounds of one run, so that a neighbour's burst meets all of them. Breakers wrap the same async call; where a loop does more than is asked about,
 * the same loop without it is taken off (`baselines`).
 */
export const bench: Bench = {
  about: 'Nanoseconds per decision, and memory, beside the breakers that Node programs use today',
  async measure(say) {
    const contestants = { ...breakers(), ...turningDecisions(), ...decisions() };
    const rounds = new Map<string, number[]>(Object.keys(contestants).map((name) => [name, []]));
    for (let round = 0; round < warmUps + measuredRounds; round += 1) {
      if (round % 8 === 0) say(`round ${round + 1} of ${warmUps + measuredRounds}`);
      for (const [name, batch] of Object.entries(contestants)) {
        const startNs = process.hrtime.bigint();
        await batch(callsPerRound);
        const took = Number(process.hrtime.bigint() - startNs) / callsPerRound;
        if (round >= warmUps) rounds.get(name)?.push(took);
      }
    }
    return [...timeFigures(rounds), ...heapFigures()];
  },
};

const warmUps = 4;
const measuredRounds = 24;
const callsPerRound = 40_000;
/** A busy server begins and ends about so many calls in one turn of the event loop. */
const callsPerTurn = 8;

const bare = 'bare async call';
const ours = 'our breaker, around it';
const cockatielSampling = 'cockatiel SamplingBreaker, around it';
const cockatielConsecutive = 'cockatiel ConsecutiveBreaker, around it';
const opossum = 'opossum, around it';
const opossumNoTimeout = 'opossum without its timeout, around it';
const turns = 'turns of the event loop, per call of eight';
const oncePerTurn = 'breaker, allow and mark, clock read once a turn of eight calls';
const pairsOfTurns = 'two turns of the event loop';
const turnEach = 'breaker, allow and mark, each in a turn of its own';

/** What is taken off, round by round. */
const baselines: Readonly<Record<string, string>> = {
  [ours]: bare,
  [cockatielSampling]: bare,
  [cockatielConsecutive]: bare,
  [opossum]: bare,
  [opossumNoTimeout]: bare,
  [oncePerTurn]: turns,
  [turnEach]: pairsOfTurns,
};

type Batch = (calls: number) => Promise<void> | void;

/** All are closed, and stay so: what is compared is what every call of a healthy service pays. */
function breakers(): Record<string, Batch> {
  const work = async () => 1;
  const guarded = guardedBy(healthyBreaker(), { hasFailed: () => true });
  const refuse = () => Promise.reject(new Error('refused'));
  const sampling = circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new SamplingBreaker({ threshold: 0.2, duration: 30_000 }) });
  const consecutive = circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) });
  // As its README sets it up, and without what ours does not do.
  const usual = new CircuitBreaker(work, { timeout: 3_000, errorThresholdPercentage: 50, resetTimeout: 30_000 });
  const untimed = new CircuitBreaker(work, { timeout: false, errorThresholdPercentage: 50, resetTimeout: 30_000 });
  return {
    async [bare](calls) {
      for (let call = 0; call < calls; call += 1) {
        if (call % callsPerTurn === 0) await nextTurn();
        await work();
      }
    },
    async [ours](calls) {
      for (let call = 0; call < calls; call += 1) {
        if (call % callsPerTurn === 0) await nextTurn();
        await guarded(work, refuse);
      }
    },
    async [cockatielSampling](calls) {
      for (let call = 0; call < calls; call += 1) {
        if (call % callsPerTurn === 0) await nextTurn();
        await sampling.execute(work);
      }
    },
    async [cockatielConsecutive](calls) {
      for (let call = 0; call < calls; call += 1) {
        if (call % callsPerTurn === 0) await nextTurn();
        await consecutive.execute(work);
      }
    },
    async [opossum](calls) {
      for (let call = 0; call < calls; call += 1) {
        if (call % callsPerTurn === 0) await nextTurn();
        await usual.fire();
      }
    },
    async [opossumNoTimeout](calls) {
      for (let call = 0; call < calls; call += 1) {
        if (call % callsPerTurn === 0) await nextTurn();
        await untimed.fire();
      }
    },
  };
}

/** With the clock of the mall's breakers: a process that has much to do, and one that has so little that such a clock is of no use. */
function turningDecisions(): Record<string, Batch> {
  const busy = healthyBreaker();
  const idle = healthyBreaker();
  return {
    async [turns](calls) {
      for (let call = 0; call < calls; call += 1) if (call % callsPerTurn === 0) await nextTurn();
    },
    async [oncePerTurn](calls) {
      for (let call = 0; call < calls; call += 1) {
        if (call % callsPerTurn === 0) await nextTurn();
        if (busy.allow()) busy.success();
      }
    },
    async [pairsOfTurns](calls) {
      for (let call = 0; call < calls; call += 1) {
        await nextTurn();
        await nextTurn();
      }
    },
    async [turnEach](calls) {
      for (let call = 0; call < calls; call += 1) {
        await nextTurn();
        const isAllowed = idle.allow();
        await nextTurn();
        if (isAllowed) idle.success();
      }
    },
  };
}

function decisions(): Record<string, Batch> {
  const random = seededRandom(1);
  const healthy = healthyBreaker(monotonicNs);
  const failing = createBreaker({ clockNs: monotonicNs, random });
  const calm = createShedder({ clockNs: monotonicNs, cpu: () => 300 });
  const overloaded = createShedder({ clockNs: monotonicNs, cpu: () => 950 });
  const nodes = busyNodes(10);
  const buckets = createTokenBuckets({ clockNs: monotonicNs, ratePerSecond: 1e6, burst: 1e6 });
  return {
    'breaker, allow and mark'(calls) {
      for (let call = 0; call < calls; call += 1) if (healthy.allow()) healthy.success();
    },
    'breaker that refuses, allow and mark'(calls) {
      for (let call = 0; call < calls; call += 1) if (failing.allow()) failing.failure();
    },
    'shedder at rest, allow and settle'(calls) {
      for (let call = 0; call < calls; call += 1) calm.allow()?.pass();
    },
    'shedder in overload, allow and settle'(calls) {
      for (let call = 0; call < calls; call += 1) overloaded.allow()?.pass();
    },
    'P2C pick among 10'(calls) {
      const nowNs = monotonicNs();
      for (let call = 0; call < calls; call += 1) {
        const node = pick(nodes, { nowNs: nowNs + call * 1_000, random });
        // The end of the call is measured apart.
        if (node !== undefined) node.inflight -= 1;
      }
    },
    'P2C pick among 10 and finish, with its clock'(calls) {
      for (let call = 0; call < calls; call += 1) {
        const startedNs = monotonicNs();
        const node = pick(nodes, { nowNs: startedNs, random });
        if (node !== undefined) finish(node, { startedNs, nowNs: monotonicNs(), ok: true });
      }
    },
    'token bucket in the process, take'(calls) {
      for (let call = 0; call < calls; call += 1) buckets.take('checkout');
    },
    'clock, one reading'(calls) {
      let sum = 0;
      for (let call = 0; call < calls; call += 1) sum += monotonicNs();
      // Never true; a loop whose result nobody wants may be left out by the compiler.
      if (sum < 0) throw new RangeError('Expected the clock to go forward');
    },
  };
}

/** Of the breaker with the clock that the mall gives it; read anew for every call, that alone is most of what a decision costs. */
const goals: Record<string, number> = {
  [oncePerTurn]: 100,
  'breaker that refuses, allow and mark': 100,
  'shedder at rest, allow and settle': 150,
  'shedder in overload, allow and settle': 150,
  'P2C pick among 10': 150,
};

function timeFigures(rounds: ReadonlyMap<string, readonly number[]>): Figure[] {
  const of = (name: string) => rounds.get(name) ?? [];
  const added = (name: string) => of(name).map((took, round) => took - (of(baselines[name] ?? '')[round] ?? 0));
  const peers = [cockatielSampling, cockatielConsecutive, opossum, opossumNoTimeout];
  const times = [...rounds.keys()].map((name): Figure => {
    const goal = goals[name];
    return {
      name: name in baselines ? `${name}: added` : name,
      unit: 'ns',
      ...(goal === undefined ? {} : { goal: { atMost: goal } }),
      ...median(added(name)),
    };
  });
  const ratios = peers.map((peer): Figure => {
    const own = added(ours);
    const each = added(peer).map((tookMore, round) => tookMore / (own[round] ?? Number.NaN));
    return {
      name: `what ${peer.replace(', around it', '')} adds, to what ours adds`,
      unit: '×',
      goal: { atLeast: peer.startsWith('opossum') ? 4 : 2 },
      ...median(each),
    };
  });
  return [...times, ...ratios];
}

/** Memory of one instance, and what a million calls leave behind in it. */
function heapFigures(): Figure[] {
  const makers: Record<string, () => unknown> = {
    'our breaker': () => healthyBreaker(),
    'our shedder': () => createShedder({ clockNs: monotonicNs, cpu: () => 0 }),
    'a P2C node': createNode,
    'cockatiel SamplingBreaker': () =>
      circuitBreaker(handleAll, { halfOpenAfter: 1, breaker: new SamplingBreaker({ threshold: 0.2, duration: 30_000 }) }),
    opossum: () => new CircuitBreaker(async () => 1, { timeout: false }),
    'a bare async function': () => async () => 1,
  };
  const sizes = Object.entries(makers).map(([name, make]): Figure => ({ name: `memory of ${name}`, unit: 'bytes', value: sizeOf(make) }));
  const { 'breaker, allow and mark': decide = () => {}, 'shedder in overload, allow and settle': shed = () => {} } = decisions();
  const before = heapBytes();
  for (let turn = 0; turn < 10; turn += 1) for (const batch of [decide, shed]) batch(100_000);
  const grown: Figure = {
    name: 'memory kept per call, breaker and shedder',
    unit: 'bytes',
    goal: { atMost: 0.1 },
    value: Math.max(0, heapBytes() - before) / 1_000_000,
  };
  return [...sizes, grown];
}

function sizeOf(make: () => unknown): number {
  const count = 10_000;
  const kept: unknown[] = new Array(count).fill(make());
  const before = heapBytes();
  for (let index = 0; index < count; index += 1) kept[index] = make();
  const size = (heapBytes() - before) / count;
  // Ends timers, where an instance has some, and keeps it all alive until it has been measured.
  for (const one of kept) if (one instanceof CircuitBreaker) one.shutdown();
  return size;
}

/** After full collections, the buffers of typed arrays included, which are freed some time after their arrays. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  let bytes = Number.POSITIVE_INFINITY;
  for (;;) {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    if (heapUsed + external > bytes - 10_000) return heapUsed + external;
    bytes = heapUsed + external;
  }
}

/** Of different speed and load, every third of them failing, so that picks are drawn again. */
function busyNodes(count: number) {
  return Array.from({ length: count }, (_, index) => {
    const node = createNode();
    for (let call = 0; call < index; call += 1) {
      const nowNs = (call + 1) * 1e9;
      node.inflight += 1;
      finish(node, { startedNs: nowNs - index * 1e6, nowNs, ok: index % 3 !== 0 });
    }
    node.inflight = index % 4;
    return node;
  });
}

/** With the clock that the mall's breakers have, and one failure in a thousand calls, the noise of a service that works. */
function healthyBreaker(clockNs = createTurnClock(monotonicNs)) {
  const breaker = createBreaker({ clockNs, random: seededRandom(1) });
  breaker.failure();
  for (let call = 1; call < 1_000; call += 1) breaker.success();
  return breaker;
}
