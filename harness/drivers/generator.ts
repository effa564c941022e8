import { MessageChannel } from 'node:worker_threads';
import { type Arrivals, arrivalTimes, type Stage } from '../schedule.ts';
import { answerCalls } from './child.ts';
import { clockOf } from './clock.ts';
import { startHiccups } from './ground/hiccups.ts';
import { createMachineWatch } from './ground/machine.ts';
import { createGroundSeconds, type GroundSeconds } from './ground/seconds.ts';
import type { IoCalls, IoEvent, IoOptions, IoOrder } from './io-thread.ts';
import { createLedgerReader } from './ledger/ledger.ts';
import { liveSecond } from './live.ts';
import { startMetronome } from './metronome/metronome.ts';
import { raisePriority } from './priority.ts';
import { type OpenRecording, recordingFrom } from './recording-from.ts';
import { createRollCall } from './roll-call.ts';
import { startThread, type Thread } from './thread.ts';
import { createWindows } from './windows.ts';

/**
 * The process that makes open load. It is one of its own, so that neither its pauses nor its CPU time are anyone else's. Its threads: one or a few
 * that visitors live in, a metronome that wakes them on time, and a canary for every core; this one plays the phases and adds everything up.
 */

export type Load = Omit<IoOptions, 'thread'> & { threads: number };
export type PlayedPhase = {
  name: string;
  stages: readonly Stage[];
  arrivals: Arrivals;
  /** On the run's clock; without it the phase starts now, or when the last one ends. */
  startAtMs?: number;
};
/** What the driver may ask of this process; `start` comes first. */
export type GeneratorCalls = {
  start: (load: Load) => Promise<void>;
  play: (phase: PlayedPhase) => Promise<void>;
  halt: () => Promise<void>;
  drained: () => Promise<void>;
  finish: () => Promise<OpenRecording>;
};

let generator: Awaited<ReturnType<typeof startGenerator>> | undefined;
const started = () => {
  if (generator === undefined) throw new Error('The load was asked for something before it was started');
  return generator;
};
const tell = answerCalls<GeneratorCalls>({
  start: async (load) => {
    generator = await startGenerator(load);
  },
  play: (phase) => started().play(phase),
  halt: () => started().halt(),
  drained: () => started().drained(),
  finish: () => started().finish(),
});

async function startGenerator({ threads: count, ...options }: Load) {
  const { epochOffsetNs, seed } = options;
  const now = clockOf(epochOffsetNs);
  // Threads are born with the priority of this one.
  const priorityRaised = raisePriority();
  const requests = createLedgerReader();
  const hiccups = createLedgerReader();
  const windows = createWindows();
  const metronome = startMetronome({ epochOffsetNs });
  const canaries = startHiccups({ epochOffsetNs, onLedger: (canary, message, giveBack) => hiccups.accept(canary, message, giveBack) });
  const machine = createMachineWatch({ now });
  // From the first phase on.
  let ground: GroundSeconds | undefined;
  // When a thread ends, so does the load: whoever waits for the end of a phase hears why, and all others by asking the thread.
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  const threads = Array.from({ length: count }, (_, index) => startIoThread(index));
  const [first] = await Promise.all(threads.map(({ thread }, index) => thread.call('start', { ...options, thread: { index, of: count } })));
  const steps = first?.steps ?? [];
  for (const { thread, bell } of threads) thread.tell({ bell: bell.port2 } satisfies IoOrder, [bell.port2]);

  const halting = new AbortController();
  const intended: number[] = [];
  let lastEndMs = 0;
  let isIdle = true;
  let cpuBefore = process.cpuUsage();

  return {
    play: async ({ name, stages, arrivals, startAtMs }: PlayedPhase) => {
      // Phases follow each other without a gap, also when the word to play the next one comes a little early.
      const startMs = startAtMs ?? Math.max(now(), lastEndMs);
      const lastsMs = stages.reduce((sum, stage) => sum + stage.lastsMs, 0);
      const phase = { name, startMs, lastsMs };
      lastEndMs = startMs + lastsMs;
      if (windows.phases().length === 0) begin(startMs);
      windows.startPhase(phase);
      // Each phase has arrivals of its own.
      const schedule = { stages, arrivals, seed: seed + 101 * windows.phases().length };
      const index = windows.phases().length - 1;
      isIdle = false;
      await Promise.all(threads.map(({ thread }) => thread.call('play', { ...phase, schedule })));
      metronome.play({ startMs, schedule, ports: threads.map(({ bell }) => bell.port1) });
      await Promise.race([until(startMs + lastsMs), broken.promise]);
      intended[index] = countOf(arrivalTimes(schedule));
    },

    halt: async () => {
      halting.abort();
      metronome.halt();
      await Promise.all(threads.map(({ thread }) => thread.call('halt')));
    },

    drained: async () => {
      await Promise.all(threads.map(({ thread }) => thread.call('drained')));
      isIdle = true;
    },

    finish: async () => {
      await canaries.flush();
      // Before the threads have to work for this.
      const seconds = ground?.soFar() ?? [];
      const findings = await Promise.all(threads.map(({ thread }) => thread.call('finish')));
      const { user, system } = process.cpuUsage(cpuBefore);
      return recordingFrom({
        steps,
        windows,
        rows: requests.rows(),
        counters: requests.counters(),
        hiccups: hiccups.rows(),
        ground: seconds,
        findings,
        intended,
        health: { threads: count, priorityRaised, cpuMs: (user + system) / 1_000, timeoutMs: options.timeoutMs },
      });
    },
  };

  function startIoThread(index: number): { thread: Thread<IoCalls>; bell: MessageChannel } {
    const thread = startThread<IoCalls>(new URL('./io-thread.ts', import.meta.url), {
      onEvent: (event) => {
        const { ledger } = event as IoEvent;
        requests.accept(index, ledger, (released) => thread.tell({ released } satisfies IoOrder));
      },
      onDefect: broken.reject,
    });
    return { thread, bell: new MessageChannel() };
  }

  function begin(startMs: number) {
    canaries.begin(startMs);
    cpuBefore = process.cpuUsage();
    const take = () => ({ ...machine.take(), loops: threads.map(({ thread }) => thread.loopUtilization()) });
    take();
    const seconds = createGroundSeconds({ startMs, now, take });
    ground = seconds;
    let second = 0;
    let told = { phase: '', atMs: 0 };
    const callRoll = createRollCall({
      threads: threads.map(
        ({ thread }) =>
          () =>
            thread.call('second'),
      ),
      now,
      onHeard: ({ counts, ...silence }) => {
        if (isIdle && counts.every(({ inFlight }) => inFlight === 0)) return;
        tell(liveSecond({ ...told, ...silence, timeoutMs: options.timeoutMs }, counts));
      },
    });
    const onSecond = () => {
      const atMs = second * 1_000;
      seconds.look();
      // As it is now: whoever watches wants to see a phase as soon as it has begun.
      const phase = windows.names()[windows.phaseAt(startMs + atMs + 999)] ?? '';
      told = { phase, atMs: atMs + 1_000 };
      callRoll();
      second = Math.max(second + 1, Math.floor((now() - startMs) / 1_000));
      schedule();
    };
    const schedule = () => setTimeout(onSecond, startMs + (second + 1) * 1_000 - now());
    schedule();
  }

  /** Waits for a moment of the run's clock, or until the load is broken off. */
  function until(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(leave, Math.max(0, ms - now()));
      function leave() {
        clearTimeout(timer);
        halting.signal.removeEventListener('abort', leave);
        resolve();
      }
      if (halting.signal.aborted) leave();
      else halting.signal.addEventListener('abort', leave);
    });
  }
}

/** The plan, counted by one who does not carry it out. */
function countOf(times: Iterable<number>): number {
  let count = 0;
  for (const _ of times) count += 1;
  return count;
}
