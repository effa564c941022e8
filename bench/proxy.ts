import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { startEmbedded } from '../chaos/embedded/start.ts';
import { messageOf, UsageError } from '../core/errors.ts';
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
    for (let round = 0; round <= speedRounds; round += 1) {
      const measured = await playRound(caller, turned(routes, round));
      for (const [name, { perSecond, megabytesPerSecond }] of measured)
        say(`round ${round}, ${name}: ${perSecond.map(Math.round).join(', ')} round trips/s, ${Math.round(megabytesPerSecond)} MB/s`);
      // The first only warms up.
      if (round > 0) for (const [name, one] of measured) seen.get(name)?.push(one);
    }
    const truths = new Map(servers.map(({ name }) => [name, [] as Truth[]]));
    for (let round = 0; round < truthRounds; round += 1) {
      for (const server of turned(servers, round)) {
        const truth = await truthOf(server, caller);
        truths.get(server.name)?.push(truth);
        say(
          `round ${round}, ${server.name}: ${Object.values(truth)
            .map((ms) => ms.toPrecision(3))
            .join(', ')} ms`,
        );
      }
    }
    return [...speedFigures(seen), ...[...truths].flatMap(truthFigures)];
  },
};

const crowds = [1, 16, 64] as const;
const speedRounds = 8;
const truthRounds = 5;
const tripsLastMs = 300;
const bulkLastsMs = 300;

type Route = { name: string; echo: string; source: string; cpuMs: () => number };
type Server = Route & { control: Pool };
type Round = { perSecond: number[]; usP50: number; usP99: number; megabytesPerSecond: number; cpuUsPerTrip: number };

/** Each measure is taken of every route before the next one: the machine is another one from second to second. */
async function playRound(caller: Peer, routes: readonly Route[]): Promise<Map<string, Round>> {
  const rounds = new Map(
    routes.map(({ name }) => [
      name,
      { perSecond: [] as number[], usP50: Number.NaN, usP99: Number.NaN, megabytesPerSecond: Number.NaN, cpuUsPerTrip: Number.NaN },
    ]),
  );
  for (const connections of crowds) {
    for (const { name, echo, cpuMs } of routes) {
      const round = rounds.get(name);
      const beforeMs = cpuMs();
      const trips = await caller.ask({ order: 'trips', address: echo, connections, lastsMs: tripsLastMs });
      round?.perSecond.push(trips.perSecond);
      if (connections === 1) Object.assign(round ?? {}, { usP50: at(trips.tookUs, 0.5), usP99: at(trips.tookUs, 0.99) });
      if (connections === 16) Object.assign(round ?? {}, { cpuUsPerTrip: ((cpuMs() - beforeMs) * 1_000) / trips.count });
    }
  }
  for (const { name, source } of routes) {
    const { bytesPerSecond } = await caller.ask({ order: 'bulk', address: source, connections: 1, lastsMs: bulkLastsMs });
    Object.assign(rounds.get(name) ?? {}, { megabytesPerSecond: bytesPerSecond / 1e6 });
  }
  return rounds;
}

function speedFigures(seen: ReadonlyMap<string, readonly Round[]>): Figure[] {
  const direct = seen.get('direct') ?? [];
  const figures = [...seen].flatMap(([name, rounds]): Figure[] => {
    const over = (read: (round: Round, index: number) => number) => median(rounds.map(read));
    const added = (read: (round: Round) => number) => over((round, index) => read(round) - read(direct[index] ?? round));
    const speed: Figure[] = [
      ...crowds.map((connections, crowd) => ({
        name: `${name}, ${crowdName(connections)}`,
        unit: 'round trips/s',
        ...over(({ perSecond }) => perSecond[crowd] ?? Number.NaN),
      })),
      { name: `${name}, bulk`, unit: 'MB/s', ...over((round) => round.megabytesPerSecond) },
    ];
    if (name === 'direct') return speed;
    return [
      ...speed,
      { name: `${name} adds, p50`, unit: 'µs', ...added((round) => round.usP50) },
      { name: `${name} adds, p99`, unit: 'µs', ...added((round) => round.usP99) },
      { name: `${name}, CPU`, unit: 'µs/round trip', ...over((round) => round.cpuUsPerTrip) },
    ];
  });
  return [...figures, ...ratioFigures(seen.get('embedded') ?? [], seen.get('real') ?? [])];
}

/** As fast as the real server on small messages, where there is one to compare with: round by round. */
function ratioFigures(embedded: readonly Round[], real: readonly Round[]): Figure[] {
  if (real.length === 0) return [];
  const ratio = (read: (round: Round) => number) => median(embedded.map((round, index) => read(round) / read(real[index] ?? round)));
  return [
    ...crowds.map((connections, crowd) => ({
      name: `embedded : real, ${crowdName(connections)}`,
      unit: '',
      ...ratio(({ perSecond }) => perSecond[crowd] ?? Number.NaN),
      goal: { atLeast: 1 },
    })),
    { name: 'embedded : real, bulk', unit: '', ...ratio(({ megabytesPerSecond }) => megabytesPerSecond) },
    { name: 'embedded : real, CPU', unit: '', ...ratio(({ cpuUsPerTrip }) => cpuUsPerTrip) },
  ];
}

const crowdName = (connections: number) => `${connections} connection${connections === 1 ? '' : 's'}`;

/** In ms: how far a delay of 50 ms is off, and the 99th percentile of control calls while everyone talks and while everyone pours. */
type Truth = { errorP50: number; errorP99: number; talkingP99: number; pouringP99: number };

async function truthOf(server: Server, caller: Peer): Promise<Truth> {
  const paced = { order: 'trips', address: server.echo, connections: 8 } as const;
  // Processes that sleep between messages are slow to wake: without the delay, but as seldom, a round trip takes half a millisecond itself.
  const undelayed = await caller.ask({ ...paced, lastsMs: 1_000, pauseMs: delayMs });
  const baseUs = at(undelayed.tookUs, 0.5);
  const toxic = { name: 'slow', type: 'latency', attributes: { latency: delayMs } };
  await call(server.control, 'POST', '/proxies/echo/toxics', toxic);
  const { tookUs } = await caller.ask({ ...paced, lastsMs: 2_500 });
  await call(server.control, 'DELETE', '/proxies/echo/toxics/slow');
  const errorsMs = tookUs.map((us) => Math.abs((us - baseUs) / 1_000 - delayMs)).toSorted((a, b) => a - b);
  const talkingMs = await controlled(server, caller.ask({ order: 'trips', address: server.echo, connections: 64, lastsMs: 2_000 }));
  const pouringMs = await controlled(server, caller.ask({ order: 'bulk', address: server.source, connections: 16, lastsMs: 2_000 }));
  return { errorP50: at(errorsMs, 0.5), errorP99: at(errorsMs, 0.99), talkingP99: at(talkingMs, 0.99), pouringP99: at(pouringMs, 0.99) };
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

function truthFigures([name, rounds]: [string, readonly Truth[]]): Figure[] {
  const figure = (what: string, read: (truth: Truth) => number, atMost: number): Figure => ({
    name: `${name}, ${what}`,
    unit: 'ms',
    ...median(rounds.map(read)),
    ...(name === 'embedded' ? { goal: { atMost } } : {}),
  });
  return [
    figure('error of a 50 ms delay, p50', ({ errorP50 }) => errorP50, 0.5),
    figure('error of a 50 ms delay, p99', ({ errorP99 }) => errorP99, 3),
    figure('control call while 64 talk, p99', ({ talkingP99 }) => talkingP99, 10),
    figure('control call while 16 pour, p99', ({ pouringP99 }) => pouringP99, 10),
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
  await once(child, 'spawn').catch((cause: unknown) => {
    throw new UsageError(`Expected TOXIPROXY_BIN to be a Toxiproxy server, '${program}' could not be started: ${messageOf(cause)}`, {
      cause,
    });
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
