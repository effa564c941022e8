import { expect, test } from 'vitest';
import { watchCost } from '../../../../../bench/truth/contestants/cpu.ts';

type Process = {
  threads: Record<string, number[]>;
  ticks: [user: number, system: number, childUser: number, childSystem: number];
  peakKib: number;
};

/** A /proc of made-up processes; those that are deleted have ended. */
function machineOf(processes: Map<number, Process>) {
  const of = (pid: string | undefined) => {
    const process = processes.get(Number(pid));
    if (process === undefined) throw new Error('ENOENT');
    return process;
  };
  return {
    everyMs: 1_000_000,
    list: (path: string) => Object.keys(of(/^\/proc\/(\d+)\/task$/.exec(path)?.[1]).threads),
    read: (path: string) => {
      const [, pid, thread, file] = /^\/proc\/(\d+)(?:\/task\/(\d+))?\/(\w+)$/.exec(path) ?? [];
      const { threads, ticks, peakKib } = of(pid);
      if (file === 'children') return (threads[thread ?? ''] ?? []).map((child) => `${child} `).join('');
      if (file === 'status') return `Name:\tx\nVmHWM:\t   ${peakKib} kB\nVmRSS:\t 1 kB\n`;
      return `${pid} (a) name) S 1 ${pid} 0 0 -1 0 11 12 13 14 ${ticks.join(' ')} 20 0 1 0 777 0`;
    },
  };
}

test('counts a process and its collected children, in milliseconds and bytes', () => {
  const machine = machineOf(new Map([[7, { threads: { 7: [] }, ticks: [10, 5, 2, 1], peakKib: 100 }]]));
  expect(watchCost(7, machine).stop()).toEqual({ cpuMs: 180, rssPeakBytes: 102_400 });
});

test('counts the descendants of every thread', () => {
  const processes = new Map<number, Process>([
    [7, { threads: { 7: [], 8: [20] }, ticks: [1, 0, 0, 0], peakKib: 1 }],
    [20, { threads: { 20: [30] }, ticks: [2, 0, 0, 0], peakKib: 2 }],
    [30, { threads: { 30: [] }, ticks: [4, 0, 0, 0], peakKib: 4 }],
    [40, { threads: { 40: [] }, ticks: [100, 0, 0, 0], peakKib: 100 }],
  ]);
  expect(watchCost(7, machineOf(processes)).stop()).toEqual({ cpuMs: 70, rssPeakBytes: 7 * 1_024 });
});

test('remembers what was used when all have ended', () => {
  const processes = new Map<number, Process>([[7, { threads: { 7: [] }, ticks: [1, 0, 0, 0], peakKib: 1 }]]);
  const watch = watchCost(7, machineOf(processes));
  processes.set(7, { threads: { 7: [] }, ticks: [30, 0, 0, 0], peakKib: 50 });
  watch.look();
  processes.clear();
  watch.look();
  expect(watch.stop()).toEqual({ cpuMs: 300, rssPeakBytes: 50 * 1_024 });
});
