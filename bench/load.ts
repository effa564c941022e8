import { type Bench, type Figure, median } from './figure.ts';
import { type LoadPlay, type LoadServer, playLoad, startLoadServer } from './load-play.ts';
import { oursClosed } from './load-visits.ts';
import type { Contestant } from './truth/contestant.ts';
import { autocannon, autocannonClosed } from './truth/contestants/autocannon.ts';
import { ours } from './truth/contestants/ours.ts';
import { wrk } from './truth/contestants/wrk.ts';

/**
 * What a request costs whoever sends it, and how many can be sent: ours, autocannon and, where PATH has it, wrk ask one lean server in turns.
 * The server counts, for not everyone knows what it sent. Starting is taken out of the cost: it is paid once, and each pays another price for it.
 */
export const bench: Bench = {
  about: 'Requests per CPU-second and per second of load generators on one lean server, in turns of one run; starting them is not counted',
  async measure(say) {
    await using undo = new AsyncDisposableStack();
    const server = await startLoadServer(undo);
    const startMs = new Map<Contestant, number>();
    const hasWrk = (await wrk.version()) !== undefined;
    for (const contestant of [ours, oursClosed, autocannon]) startMs.set(contestant, await costOfStarting(contestant, server));
    const oursPerSecond = await mostKept(ours, { server, say });

    const modes: Mode[] = [
      { name: modeNames.visits, contestant: oursClosed, ratePerSecond: 1 },
      { name: modeNames.fast, contestant: ours, ratePerSecond: oursPerSecond, easesInMs },
      { name: modeNames.rivalFast, contestant: autocannonClosed, ratePerSecond: 1 },
      ...(hasWrk ? [{ name: modeNames.wrkFast, contestant: wrk, ratePerSecond: 1 }] : []),
      { name: modeNames.paced, contestant: ours, ratePerSecond: same, easesInMs },
      { name: modeNames.rivalPaced, contestant: autocannon, ratePerSecond: same },
      { name: modeNames.calm, contestant: ours, ratePerSecond: calm },
    ];
    const rounds: Map<string, LoadPlay>[] = [];
    for (let round = 0; round <= measuredRounds; round += 1) {
      const plays = new Map<string, LoadPlay>();
      // Who goes second finds a warmer machine, so they take turns.
      for (const { name, contestant, ratePerSecond, easesInMs: eases } of round % 2 === 0 ? modes : modes.toReversed()) {
        // autocannon starts at the same price, with a rate or without.
        const spentMs = startMs.get(contestant === autocannonClosed ? autocannon : contestant) ?? 0;
        const easing = eases === undefined ? {} : { easesInMs: eases };
        const play = await playLoad(contestant, { server, ratePerSecond, lastsMs, spentMs, ...easing });
        plays.set(name, play);
        say(`round ${round}, ${name}: ${Math.round(play.perSecond)}/s, ${Math.round(play.perCpuSecond)} per CPU-second`);
      }
      // The first only warms the server up.
      if (round > 0) rounds.push(plays);
    }
    return figuresOf(rounds, modes, hasWrk);
  },
};

const same = 10_000;
const calm = 2_000;
const modeNames = {
  visits: 'visits of ours back to back, as fast as it can',
  fast: 'ours by its plan, as fast as it can',
  rivalFast: 'autocannon, as fast as it can',
  wrkFast: 'wrk, as fast as it can',
  paced: `ours at ${same}/s`,
  rivalPaced: `autocannon at ${same}/s`,
  calm: `ours at ${calm}/s`,
};
const measuredRounds = 4;
const lastsMs = 6_000;
const easesInMs = 1_000;

type Mode = { name: string; contestant: Contestant; ratePerSecond: number; easesInMs?: number };

function figuresOf(rounds: readonly Map<string, LoadPlay>[], modes: readonly Mode[], hasWrk: boolean): Figure[] {
  const over = (read: (of: (name: string) => LoadPlay) => number) =>
    median(
      rounds.map((plays) =>
        read((name) => {
          const play = plays.get(name);
          if (play === undefined) throw new RangeError(`Expected a play of '${name}' in every round`);
          return play;
        }),
      ),
    );
  const lag = (part: 'p50' | 'p90' | 'p99', atMost: number): Figure => ({
    name: `lag ${part} of ours at ${calm}/s`,
    unit: 'ms',
    goal: { atMost },
    ...over((of) => of(modeNames.calm).measured.lagMs?.[part] ?? Number.NaN),
  });
  const ratio = (name: string, a: string, b: string, goal?: Figure['goal']): Figure => ({
    ...{ name, unit: '', ...(goal && { goal }) },
    ...over((of) => of(a).perCpuSecond / of(b).perCpuSecond),
  });
  return [
    ...modes.map(({ name }) => ({ name, unit: 'requests/CPU-second', ...over((of) => of(name).perCpuSecond) })),
    ...modes
      .filter(({ name }) => name.endsWith('as fast as it can'))
      .map(({ name }) => ({ name, unit: 'requests/s', ...over((of) => of(name).perSecond) })),
    // Like with like: neither has a plan to keep.
    ratio('visits of ours : autocannon per CPU-second, both back to back', modeNames.visits, modeNames.rivalFast, { atLeast: 1.3 }),
    ratio('ours by its plan : autocannon per CPU-second, both as fast as they can', modeNames.fast, modeNames.rivalFast, { atLeast: 1.3 }),
    ratio(`ours : autocannon per CPU-second, both at ${same}/s`, modeNames.paced, modeNames.rivalPaced),
    ...(hasWrk ? [ratio('ours : wrk per CPU-second, both as fast as they can', modeNames.fast, modeNames.wrkFast)] : []),
    { name: `share of a core of ours at ${calm}/s`, unit: '%', goal: { atMost: 20 }, ...over((of) => of(modeNames.calm).coreShare * 100) },
    ...[lag('p50', 0.1), lag('p90', 0.25), lag('p99', 1)],
    { name: 'peak RSS of ours, as fast as it can', unit: 'MB', ...over((of) => of(modeNames.fast).measured.rssPeakBytes / 2 ** 20) },
    {
      name: 'peak RSS of autocannon, as fast as it can',
      unit: 'MB',
      ...over((of) => of(modeNames.rivalFast).measured.rssPeakBytes / 2 ** 20),
    },
  ];
}

/** The highest of the rates that one thread keeps: tried upwards, until one is not kept twice. */
async function mostKept(contestant: Contestant, { server, say }: { server: LoadServer; say: (line: string) => void }): Promise<number> {
  const keeps = async (ratePerSecond: number) => (await playLoad(contestant, { server, ratePerSecond, lastsMs: 2_000, easesInMs })).keptUp;
  let kept = same;
  for (let next = kept + stepPerSecond; next <= mostPerSecond; next += stepPerSecond) {
    if (!((await keeps(next)) || (await keeps(next)))) break;
    kept = next;
  }
  say(`${contestant.name} keeps ${kept}/s`);
  return kept;
}

const stepPerSecond = 5_000;
const mostPerSecond = 200_000;

/** CPU time of a run that asks for next to nothing and is over at once, in ms: the middle of three. */
async function costOfStarting(contestant: Contestant, server: LoadServer): Promise<number> {
  const costs: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    costs.push((await playLoad(contestant, { server, ratePerSecond: 10, lastsMs: 100, connections: 1 })).measured.cpuMs);
  }
  return median(costs).value;
}
