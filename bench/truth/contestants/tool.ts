import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Contestant, Measured, Workload } from '../contestant.ts';
import { type Command, onPath, runCommand } from './command.ts';

/** A load generator of others: how it is told what to do, and how its answer is read. */
export type Tool = {
  name: string;
  /** Undefined where it is not installed. */
  version: () => Promise<string | undefined>;
  cannot: Limits;
  /** `folder` is a new one for this run, and goes with it. */
  command: (workload: Workload, folder: string) => Command | Promise<Command>;
  read: (stdout: string, context: { folder: string; signal: AbortSignal; workload: Workload }) => Measured | Promise<Measured>;
};
export type Limits = { ramp?: boolean; partsOfSeconds?: boolean; partsOfRates?: boolean };

export function contestantFrom({ name, version, cannot, command, read }: Tool): Contestant {
  return {
    name,
    version,
    refuses: (workload) => refusal(workload, cannot),
    run: async (workload, signal) => {
      const refused = refusal(workload, cannot);
      if (refused !== undefined) throw new RangeError(`${name} cannot do this: ${refused}`);
      await using folder = await mkdtempDisposable(join(tmpdir(), 'contestant-'));
      const order = await command(workload, folder.path);
      const { code, killedBy, stdout, stderr, cpuMs, rssPeakBytes } = await runCommand(order, { signal, pause: workload.ownPause });
      if (code !== 0) throw new Error(`${name} ended with ${killedBy ?? `code ${code}`}\n${stderr.slice(-2_000)}`.trimEnd());
      const measured = await read(stdout, { folder: folder.path, signal, workload });
      const notes = [...(measured.notes ?? []), ...pauseNotes(workload)];
      return { ...measured, ...(notes.length === 0 ? {} : { notes }), cpuMs, rssPeakBytes };
    },
  };
}

/** The first thing like a version that a program on PATH says when it is asked so. */
export async function versionOf(program: string, args: readonly string[]): Promise<string | undefined> {
  const file = await onPath(program);
  if (file === undefined) return undefined;
  const { stdout, stderr } = await runCommand({ program: file, args }, { signal: AbortSignal.timeout(30_000) });
  return /\d+\.\d+\.\d+[\w.+-]*/.exec(stdout + stderr)?.[0] ?? 'of unknown version';
}

/** Keeps what was told. */
export function told<T extends object>(values: { [K in keyof T]: T[K] | undefined | null }): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null)) as T;
}

/** Those that happened. */
export function counted(errors: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(errors).filter(([, times]) => times > 0));
}

function refusal({ arrivals, lastsMs, ratePerSecond, toPerSecond = ratePerSecond }: Workload, cannot: Limits): string | undefined {
  if (arrivals === 'poisson') return 'knows no Poisson arrivals';
  if (cannot.ramp && toPerSecond !== ratePerSecond) return 'knows no ramps';
  if (cannot.partsOfSeconds && lastsMs % 1_000 !== 0) return 'lasts whole seconds only';
  const hasWholeRates = Number.isInteger(ratePerSecond) && Number.isInteger(toPerSecond);
  if (cannot.partsOfRates && !hasWholeRates) return 'knows whole requests per second only';
  return undefined;
}

function pauseNotes({ ownPause }: Workload): string[] {
  return ownPause === undefined ? [] : [`stopped from outside ${ownPause.atMs} ms after its process began, for ${ownPause.lastsMs} ms`];
}
