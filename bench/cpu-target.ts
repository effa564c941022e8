import { hash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpuSample } from '../system/governance/cpu.ts';
import { type CpuSourceName, cpuSources, readIfThere } from '../system/governance/cpu-sources.ts';

/*
 * One process of `cpu.ts`: answers HTTP requests, each of which costs it the same CPU time however long it takes to get it, and samples every
 * source the way the mall does. It begins when it is told to, as its parent may have to put it into a control group first.
 */

export type TargetOrder = 'begin' | 'forget' | 'report';
/** `port` is the answer to `begin`, `samples` (every 250 ms since it was told to forget) that to `report`. */
export type TargetAnswer = { port: number } | { samples: Partial<Record<CpuSourceName, number[]>> };

const cpuMsPerRequest = Number(process.argv[2]);
const block = Buffer.alloc(65_536);
const calibrationRounds = 4_000;
const answer = (value: TargetAnswer) => void process.send?.(value);

process.once('message', async () => {
  const roundsPerRequest = Math.round(cpuMsPerRequest * calibrate());
  const server = createServer((_request, response) => {
    work(roundsPerRequest);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  startSampling();
  answer({ port: (server.address() as AddressInfo).port });
});
process.on('disconnect', () => process.exit());

/** Work for a millisecond of CPU time, which is told too coarsely to measure a request by while it is worked on. */
function calibrate(): number {
  const usedUs = () => {
    const { user, system } = process.threadCpuUsage();
    return user + system;
  };
  work(calibrationRounds);
  const startUs = usedUs();
  work(calibrationRounds);
  return (calibrationRounds * 1_000) / (usedUs() - startUs);
}

/** Native code: what V8 compiles becomes faster and slower as the process goes on. */
function work(rounds: number): void {
  for (let round = 0; round < rounds; round += 1) hash('sha256', block);
}

function startSampling(): void {
  const sources = Object.values(cpuSources).flatMap((make) => make(readIfThere) ?? []);
  let samples: Partial<Record<CpuSourceName, number[]>> = {};
  let last = sources.map((source) => source.read());
  setInterval(() => {
    const now = sources.map((source) => source.read());
    for (const [index, source] of sources.entries()) {
      const [to, from] = [now[index], last[index]];
      if (to === undefined || from === undefined) continue;
      const sample = cpuSample({ ...source, usedNs: to.usedNs - from.usedNs, passedNs: to.passedNs - from.passedNs });
      samples[source.name] = [...(samples[source.name] ?? []), sample];
    }
    last = now;
  }, 250);
  process.on('message', (order: TargetOrder) => {
    if (order === 'forget') samples = {};
    if (order === 'report') answer({ samples });
  });
}
