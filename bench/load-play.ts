import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Served, ServerOrder, ServerTold } from './load-server.ts';
import type { Contestant, Measured, Workload } from './truth/contestant.ts';
import type { Cost } from './truth/contestants/cpu.ts';

export type LoadServer = { url: string; tell: (order: ServerOrder) => Promise<Served> };

/** One run of a contestant, by what it told and what the server counted. `keptUp`: all that was planned came, and came in its time. */
export type LoadPlay = { measured: Measured & Cost; perSecond: number; perCpuSecond: number; coreShare: number; keptUp: boolean };

/** `spentMs` is what is taken off the CPU time: what starting costs. */
export async function playLoad(
  contestant: Contestant,
  {
    server,
    spentMs = 0,
    ...plan
  }: { server: LoadServer; spentMs?: number } & Pick<Workload, 'ratePerSecond' | 'lastsMs'> & Partial<Workload>,
): Promise<LoadPlay> {
  await sleep(restMs);
  await server.tell('forget');
  const workload: Workload = { ...{ url: server.url, connections, arrivals: 'uniform', timeoutMs: 2_000 }, ...plan };
  const measured = await contestant.run(workload, AbortSignal.timeout(plan.lastsMs + 60_000));
  const { requests, firstMs, lastMs } = await server.tell('report');
  const wentOnMs = lastMs - firstMs;
  // Half of it comes while it eases in.
  const fullMs = plan.lastsMs + (plan.easesInMs ?? 0) / 2;
  const planned = (plan.ratePerSecond * fullMs) / 1_000;
  return {
    measured,
    perSecond: (requests / wentOnMs) * 1_000,
    perCpuSecond: (requests / Math.max(10, measured.cpuMs - spentMs)) * 1_000,
    coreShare: Math.max(0, measured.cpuMs - spentMs) / fullMs,
    keptUp: requests >= planned && wentOnMs <= (plan.lastsMs + (plan.easesInMs ?? 0)) * 1.02,
  };
}

const restMs = 200;
const connections = 50;

/** Starts the server in a process of its own; it goes with `undo`, or with this process. */
export async function startLoadServer(undo: AsyncDisposableStack): Promise<LoadServer> {
  const child = fork(new URL('./load-server.ts', import.meta.url));
  undo.defer(async () => {
    const exited = once(child, 'exit');
    child.disconnect();
    await exited;
  });
  const [{ port }] = (await once(child, 'message')) as [Extract<ServerTold, { port: number }>];
  return {
    url: `http://127.0.0.1:${port}/`,
    tell: async (order) => {
      child.send(order);
      const [told] = (await once(child, 'message')) as [Served];
      return told;
    },
  };
}
