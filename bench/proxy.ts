import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { startEmbedded } from '../chaos/embedded/start.ts';
import { waitUntil } from '../core/time.ts';
import { type Bench, type Figure, median } from './figure.ts';
import type { Answer, Order } from './proxy-peer.ts';

/**
 * What a proxy costs and how true its faults are: the embedded server beside a direct connection and, where TOXIPROXY_BIN names one or PATH has
 * one, the real `toxiproxy-server`, by turns. Caller, upstream and each server are processes of their own.
 */
export const bench: Bench = {
  about: 'The embedded Toxiproxy server beside a direct connection and the real one, in turns of one run',
  async measure(say) {
    await using undo = new AsyncDisposableStack();
    const upstream = await startPeer(undo).ask({ order: 'serve' });
    const caller = startPeer(undo);
    const servers = await startServers(upstream, undo);
    const routes: Route[] = [{ name: 'direct', echo: upstream.echo, source: upstream.source, cpuMs: () => Number.NaN }, ...servers];

    const seen = new Map(routes.map(({ name }) => [name, [] as Round[]]));
    for (let round = 0; round <= measuredRounds; round += 1) {
      // Who comes first finds another machine than who comes last, so they take turns.
      for (const route of turned(routes, round)) {
        const measured = await playRound(caller, route);
        say(
          `round ${round}, ${route.name}: ${measured.perSecond.map(Math.round).join(', ')} round trips/s, ${Math.round(measured.megabytesPerSecond)} MB/s`,
        );
        // The first only warms up.
        if (round > 0) seen.get(route.name)?.push(measured);
      }
    }
    const truths: Truth[] = [];
    for (const server of servers) truths.push(await truthOf(server, caller, say));
    return [...speedFigures(seen), ...truths.flatMap(truthFigures)];
  },
};

const crowds = [1, 16, 64] as const;
const measuredRounds = 5;
const tripsLastMs = 500;
const bulkLastsMs = 400;

type Route = { name: string; echo: string; source: string; cpuMs: () => number };
type Server = Route & { control: Pool };
type Round = { perSecond: number[]; usP50: number; usP99: number; megabytesPerSecond: number; cpuUsPerTrip: number };

async function playRound(caller: Peer, { echo, source, cpuMs }: Route): Promise<Round> {
  const perSecond: number[] = [];
  let [usP50, usP99, cpuUsPerTrip] = [Number.NaN, Number.NaN, Number.NaN];
  for (const connections of crowds) {
    const beforeMs = cpuMs();
    const trips = await caller.ask({ order: 'trips', address: echo, connections, lastsMs: tripsLastMs });
    perSecond.push(trips.perSecond);
    if (connections === 1) [usP50, usP99] = [at(trips.tookUs, 0.5), at(trips.tookUs, 0.99)];
    if (connections === 16) cpuUsPerTrip = ((cpuMs() - beforeMs) * 1_000) / trips.count;
  }
  const { bytesPerSecond } = await caller.ask({ order: 'bulk', address: source, connections: 1, lastsMs: bulkLastsMs });
  return { perSecond, usP50, usP99, megabytesPerSecond: bytesPerSecond / 1e6, cpuUsPerTrip };
}

function speedFigures(seen: ReadonlyMap<string, readonly Round[]>): Figure[] {
  const direct = seen.get('direct') ?? [];
  const real = seen.get('real');
  return [...seen].flatMap(([name, rounds]): Figure[] => {
    const over = (read: (round: Round, index: number) => number) => median(rounds.map(read));
    const added = (read: (round: Round) => number) => over((round, index) => read(round) - read(direct[index] ?? round));
    const figures: Figure[] = [
      ...crowds.map((connections, crowd) => {
        // As fast as the real server on small messages, where there is one to compare with.
        const rival = real === undefined ? undefined : median(real.map((round) => round.perSecond[crowd] ?? Number.NaN)).value;
        const goal = name === 'embedded' && rival !== undefined ? { goal: { atLeast: Math.round(rival) } } : {};
        return {
          name: `${name}, ${connections} connection${connections === 1 ? '' : 's'}`,
          unit: 'round trips/s',
          ...goal,
          ...over((round) => round.perSecond[crowd] ?? Number.NaN),
        };
      }),
      { name: `${name}, bulk`, unit: 'MB/s', ...over((round) => round.megabytesPerSecond) },
    ];
    if (name === 'direct') return figures;
    return [
      ...figures,
      { name: `${name} adds, p50`, unit: 'µs', ...added((round) => round.usP50) },
      { name: `${name} adds, p99`, unit: 'µs', ...added((round) => round.usP99) },
      { name: `${name}, CPU`, unit: 'µs/round trip', ...over((round) => round.cpuUsPerTrip) },
    ];
  });
}

/** How far a delay of 50 ms is off, and how long control calls take while everyone talks and while everyone pours. */
type Truth = { name: string; errorsMs: number[]; talkingMs: number[]; pouringMs: number[] };

async function truthOf(server: Server, caller: Peer, say: (line: string) => void): Promise<Truth> {
  const paced = { order: 'trips', address: server.echo, connections: 8 } as const;
  // Processes that sleep between messages are slow to wake: without the delay, but as seldom, a round trip takes half a millisecond itself.
  const undelayed = await caller.ask({ ...paced, lastsMs: 2_000, pauseMs: delayMs });
  const baseUs = at(undelayed.tookUs, 0.5);
  const toxic = { name: 'slow', type: 'latency', attributes: { latency: delayMs } };
  await call(server.control, 'POST', '/proxies/echo/toxics', toxic);
  const { tookUs } = await caller.ask({ ...paced, lastsMs: 4_000 });
  await call(server.control, 'DELETE', '/proxies/echo/toxics/slow');
  const errorsMs = tookUs.map((us) => Math.abs((us - baseUs) / 1_000 - delayMs)).toSorted((a, b) => a - b);
  const talkingMs = await controlled(server, caller.ask({ order: 'trips', address: server.echo, connections: 64, lastsMs: 3_000 }));
  const pouringMs = await controlled(server, caller.ask({ order: 'bulk', address: server.source, connections: 16, lastsMs: 3_000 }));
  say(`${server.name}: ${errorsMs.length} delays, ${talkingMs.length + pouringMs.length} control calls`);
  return { name: server.name, errorsMs, talkingMs, pouringMs };
}

const delayMs = 50;

/** A toxic comes and goes while the traffic lasts; each call is timed. */
async function controlled({ control }: Server, traffic: Promise<unknown>): Promise<number[]> {
  const tookMs: number[] = [];
  let isOver = false;
  const over = traffic.then(() => {
    isOver = true;
  });
  for (const work = [add, remove, list]; !isOver; await sleep(5)) {
    for (const step of work) {
      const startMs = performance.now();
      await step();
      tookMs.push(performance.now() - startMs);
    }
  }
  await over;
  return tookMs.toSorted((a, b) => a - b);

  function add() {
    return call(control, 'POST', '/proxies/echo/toxics', { name: 'marker', type: 'noop' });
  }
  function remove() {
    return call(control, 'DELETE', '/proxies/echo/toxics/marker');
  }
  function list() {
    return call(control, 'GET', '/proxies');
  }
}

function truthFigures({ name, errorsMs, talkingMs, pouringMs }: Truth): Figure[] {
  const goal = (atMost: number) => (name === 'embedded' ? { goal: { atMost } } : {});
  const unit = 'ms';
  return [
    { name: `${name}, error of a 50 ms delay, p50`, unit, value: at(errorsMs, 0.5), ...goal(0.5) },
    { name: `${name}, error of a 50 ms delay, p99`, unit, value: at(errorsMs, 0.99), ...goal(3) },
    { name: `${name}, control call while 64 talk, p99`, unit, value: at(talkingMs, 0.99), ...goal(10) },
    { name: `${name}, control call while 16 pour, p99`, unit, value: at(pouringMs, 0.99), ...goal(10) },
  ];
}

async function startServers(upstream: Answer['serve'], undo: AsyncDisposableStack): Promise<Server[]> {
  const embedded = await startEmbedded({ signal: AbortSignal.timeout(10_000) });
  undo.defer(embedded.close);
  const servers = [await serverAt('embedded', embedded, upstream, undo)];
  const program = realProgram();
  if (program === undefined) return servers;
  return [...servers, await serverAt('real', await startReal(program, undo), upstream, undo)];
}

async function serverAt(
  name: string,
  { controlUrl, pid }: { controlUrl: string; pid: number },
  upstream: Answer['serve'],
  undo: AsyncDisposableStack,
): Promise<Server> {
  const control = new Pool(controlUrl, { connections: 1 });
  undo.defer(() => control.close());
  const proxies = Object.entries(upstream).map(([proxy, address]) => ({ name: proxy, listen: '127.0.0.1:0', upstream: address }));
  const answer = (await call(control, 'POST', '/populate', proxies)) as { proxies: { listen: string }[] };
  const [echo, source] = answer.proxies.map(({ listen }) => listen);
  if (echo === undefined || source === undefined) throw new RangeError('Expected a proxy for both upstreams');
  return { name, echo, source, control, cpuMs: () => cpuMsOf(pid) };
}

async function call(control: Pool, method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
  const answer = await control.request({ method, path, body: body === undefined ? null : JSON.stringify(body) });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) throw new Error(`Expected ${method} ${path} to succeed, got ${answer.statusCode}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

function realProgram(): string | undefined {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'toxiproxy-server'));
  return process.env.TOXIPROXY_BIN ?? onPath.find((file) => existsSync(file));
}

async function startReal(program: string, undo: AsyncDisposableStack): Promise<{ controlUrl: string; pid: number }> {
  const port = await freePort();
  const child = spawn(program, ['-host', '127.0.0.1', '-port', String(port)], {
    stdio: 'ignore',
    env: { ...process.env, LOG_LEVEL: 'error' },
  });
  undo.defer(() => ended(child));
  const controlUrl = `http://127.0.0.1:${port}`;
  await waitUntil({ timeoutMs: 10_000, describe: () => `${program} did not answer on ${controlUrl}` }, () =>
    fetch(`${controlUrl}/version`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return { controlUrl, pid: child.pid ?? 0 };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

type Peer = { ask<O extends Order>(order: O): Promise<Answer[O['order']]> };

function startPeer(undo: AsyncDisposableStack): Peer {
  const child = fork(new URL('./proxy-peer.ts', import.meta.url));
  undo.defer(() => ended(child));
  return {
    ask<O extends Order>(order: O) {
      child.send(order);
      return new Promise<Answer[O['order']]>((resolve, reject) => {
        const onExit = () => reject(new Error('Expected the measuring process to answer, it ended'));
        child.once('exit', onExit);
        child.once('message', (answer) => {
          child.off('exit', onExit);
          resolve(answer as Answer[O['order']]);
        });
      });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** CPU time of a process so far; the kernel counts in ticks of 10 ms. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const at = (sorted: readonly number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

const turned = <T>(items: readonly T[], by: number): T[] => [...items.slice(by % items.length), ...items.slice(0, by % items.length)];
