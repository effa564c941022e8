import { readdirSync, readFileSync } from 'node:fs';

/** What a process and its descendants have used. */
export type Cost = { cpuMs: number; rssPeakBytes: number };

/**
 * Watches a process and all it starts until `stop` is called, which may be after their end: what they used after the last look, at most `everyMs`
 * ago, is not in it. `read` answers the text of a file and `list` the names in a folder; both throw where there is none.
 */
export function watchCost(
  pid: number,
  { everyMs = 25, read = (path: string) => readFileSync(path, 'utf8'), list = (path: string): readonly string[] => readdirSync(path) } = {},
): { look: () => void; stop: () => Cost } {
  const most: Cost = { cpuMs: 0, rssPeakBytes: 0 };
  const look = () => {
    const costs = familyOf(pid).flatMap((member) => costOf(member) ?? []);
    // A process that has ended is counted with its parent from then on; between the two it may be missing.
    most.cpuMs = Math.max(most.cpuMs, sumOf(costs.map(({ cpuMs }) => cpuMs)));
    most.rssPeakBytes = Math.max(most.rssPeakBytes, sumOf(costs.map(({ rssPeakBytes }) => rssPeakBytes)));
  };
  const timer = setInterval(look, everyMs);
  look();

  return {
    look,
    stop: () => {
      clearInterval(timer);
      return { ...most };
    },
  };

  function familyOf(parent: number): number[] {
    return [parent, ...childrenOf(parent).flatMap(familyOf)];
  }

  /** Each thread has children of its own. */
  function childrenOf(parent: number): number[] {
    const threads = orNothing(() => list(`/proc/${parent}/task`)) ?? [];
    return threads.flatMap((thread) => {
      const children = orNothing(() => read(`/proc/${parent}/task/${thread}/children`)) ?? '';
      return children.split(' ').filter(Boolean).map(Number);
    });
  }

  /** Its own time and that of the children it has already collected. */
  function costOf(member: number): Cost | undefined {
    const stat = orNothing(() => read(`/proc/${member}/stat`));
    const status = orNothing(() => read(`/proc/${member}/status`));
    if (stat === undefined || status === undefined) return undefined;
    // The second field is the program's name in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [, peakKib = '0'] = /^VmHWM:\s+(\d+) kB/m.exec(status) ?? [];
    return { cpuMs: sumOf(fields.slice(11, 15).map(Number)) * msPerTick, rssPeakBytes: Number(peakKib) * 1_024 };
  }
}

/** Linux counts CPU time of processes in hundredths of a second. */
const msPerTick = 10;

function orNothing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    // It ended while we looked.
    return undefined;
  }
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
