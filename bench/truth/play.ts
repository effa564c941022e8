import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../core/errors.ts';
import type { Canary, Pause } from './canary.ts';
import { nowUs } from './clock.ts';
import type { Contestant, Measured } from './contestant.ts';
import type { Logged } from './messages.ts';
import type { Script } from './scripts.ts';
import type { TruthServer } from './server-control.ts';

/** One contestant, one script, once. */
export type Play =
  | { kind: 'valid'; measured: Measured & Cost; logged: Logged; stoppedMs: number }
  /** The machine stood still: whatever was measured says nothing about anyone. */
  | { kind: 'invalid'; pauseMs: number }
  /** The contestant did not get to an end. */
  | { kind: 'failed'; message: string };
export type Cost = { cpuMs: number; rssPeakBytes: number };

export type Stage = { server: TruthServer; canary: Pick<Canary, 'pausesSince'>; signal: AbortSignal };

/** Standing still for longer than this is for a host, not for a thread that waits its turn. */
const longestPauseMs = 20;
const mostRedone = 3;
/** For starting, and for what a contestant does when its load is over. */
const graceMs = 60_000;
const restMs = 200;

/** Order of the contestants in repeat number `repeat`: ABBA, so that whatever grows better or worse with time does so for all alike. */
export function orderOf<T>(contestants: readonly T[], repeat: number): readonly T[] {
  return repeat % 2 === 0 ? contestants : contestants.toReversed();
}

/** Plays until it is valid, or has been invalid `mostRedone` times more: all of them, in order. */
export async function playUntilValid(contestant: Contestant, script: Script, stage: Stage): Promise<Play[]> {
  const plays: Play[] = [];
  do plays.push(await play(contestant, script, stage));
  while (plays.at(-1)?.kind === 'invalid' && plays.length <= mostRedone);
  return plays;
}

export async function play(contestant: Contestant, script: Script, { server, canary, signal }: Stage): Promise<Play> {
  signal.throwIfAborted();
  await server.begin(script.behaviour);
  await sleep(restMs, undefined, { signal });
  const startUs = nowUs();
  const { lastsMs, timeoutMs } = script.workload;
  const over = new AbortController();
  const limitMs = lastsMs + timeoutMs + graceMs;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
  const stopping = script.stop === undefined ? undefined : stopOnce(server, script.stop, AbortSignal.any([limited, over.signal]));

  const ran = await contestant
    .run({ url: server.url, ...script.workload }, limited)
    .then((measured) => ({ measured }))
    .catch((error: unknown) => ({ message: limited.aborted ? `did not end within ${limitMs / 1_000} s` : messageOf(error) }));
  over.abort();
  const stop = await stopping;
  signal.throwIfAborted();

  const logged = await server.logged();
  const pauseMs = longestUnexplainedMs([...logged.pauses, ...canary.pausesSince(startUs)], stop);
  if (pauseMs > longestPauseMs) return { kind: 'invalid', pauseMs };
  if ('message' in ran) return { kind: 'failed', message: ran.message };
  if (script.stop !== undefined && stop === undefined) return { kind: 'failed', message: 'ended before the server was to be stopped' };
  return { kind: 'valid', measured: ran.measured, logged, stoppedMs: stop === undefined ? 0 : (stop.toUs - stop.fromUs) / 1_000 };
}

/** The longest pause in ms, less what our own stop explains of it. */
export function longestUnexplainedMs(pauses: readonly Pause[], stop: Pause | undefined): number {
  return Math.max(0, ...pauses.map((pause) => (pause.toUs - pause.fromUs - (stop === undefined ? 0 : commonUs(pause, stop))) / 1_000));
}

/** Stops the server's process for a while, counted from its first request. Undefined when `signal` came before: it is never left stopped. */
async function stopOnce(server: TruthServer, stop: { atMs: number; lastsMs: number }, signal: AbortSignal): Promise<Pause | undefined> {
  try {
    const firstUs = await server.firstArrival(signal);
    await sleep(stop.atMs - (nowUs() - firstUs) / 1_000, undefined, { signal });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
  const fromUs = server.stop();
  // Cut short when everything is over. That it lasted shorter is known by its stamps.
  await sleep(stop.lastsMs, undefined, { signal }).catch(() => undefined);
  return { fromUs, toUs: server.resume() };
}

const commonUs = (a: Pause, b: Pause): number => Math.max(0, Math.min(a.toUs, b.toUs) - Math.max(a.fromUs, b.fromUs));
