import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ServiceConfig } from '../system/config.ts';
import { type Backing, calls, instanceName, type Service, services, type Wire, wiresOf } from '../system/topology.ts';
import type { Tuning } from '../system/tuning.ts';
import { controlOf } from './control.ts';
import type { Deployment, DeploymentPlan, Replica } from './deployment.ts';
import { givenServers } from './given.ts';
import { createLayer } from './layer.ts';
import { claimPorts } from './ports.ts';
import { answersOk } from './probes.ts';
import type { RunningProcess } from './process.ts';
import { planServers } from './servers.ts';
import { together } from './together.ts';
import { startWatchdog } from './watchdog.ts';

export type LocalPlan = DeploymentPlan & {
  /** First part of every schema and key: `mall` on servers of our own, a name nobody else has on servers that are shared. */
  namespace: string;
  /** Starts MariaDB, Redis and etcd side by side (or greets those the user runs); resolves when they are ready. */
  startServers: () => Promise<void>;
  /** Seeds the database, then starts every process of the mall side by side; resolves when all say they are ready. */
  startMall: (settings: MallSettings) => Promise<Deployment>;
};

export type MallSettings = {
  /** Where to dial for a wire such as `orders->inventory.2` or `orders->mysql`: its proxy, or its true address. */
  addressOf: (wire: string) => string;
  epochOffsetNs: bigint;
  tuning: (service: Service) => Tuning;
  /** Units of each product that are there to be sold. */
  stock: Record<string, number>;
  /** How many shoppers have an account. */
  shoppers: number;
};

/**
 * Lays out a mall of local processes: claims its ports and names its wires, but starts none of it. What is started later is undone
 * by `undo`, services before servers, and by the watchdog should the harness be killed. Throws `UsageError` for what the user can mend.
 */
export async function planLocal({
  replicas,
  folder,
  otlp,
  signal,
  undo,
  progress,
  env = process.env,
}: {
  replicas: Readonly<Record<Service, number>>;
  /** The folder of the run; logs go to `logs/` in it. */
  folder: string;
  /** `host:port` of the receiver of spans. */
  otlp: string;
  signal: AbortSignal;
  undo: AsyncDisposableStack;
  progress: (line: string) => void;
  env?: NodeJS.ProcessEnv;
}): Promise<LocalPlan> {
  const given = givenServers(env);
  const isShared = Object.keys(given).length > 0;
  const namespace = isShared ? `mall_${randomBytes(4).toString('hex')}` : 'mall';
  const watchdog = await startWatchdog();
  undo.defer(() => watchdog.close());
  const ports = await claimPorts({ random: Math.random });
  undo.defer(() => ports.close());

  const servers = await planServers({ given, ports });
  const seats: Seat[] = [];
  for (const service of services) {
    for (let replica = 1; replica <= replicas[service]; replica++) {
      const address = `127.0.0.1:${await ports.next()}`;
      // The gateway answers for itself where it answers shoppers.
      const admin = service === 'gateway' ? address : `127.0.0.1:${await ports.next()}`;
      seats.push({ service, replica, instance: instanceName(service, replica), address, admin });
    }
  }
  const addresses = new Map<string, string>(seats.map((seat) => [seat.instance, seat.address]));
  const backing: Record<Backing, string> = {
    mysql: `${servers.mysql.host}:${servers.mysql.port}`,
    redis: servers.redis,
    etcd: servers.etcd,
    otlp,
  };
  for (const [name, address] of Object.entries(backing)) addresses.set(name, address);
  const wires = wiresOf(replicas, (callee) => addresses.get(callee) ?? '');
  const logFolder = join(folder, 'logs');

  return {
    replicas,
    wires,
    namespace,
    startServers: () => servers.start({ env, cacheFolder, logFolder, signal, undo, watchdog, progress, namespace }),
    async startMall({ addressOf, epochOffsetNs, tuning, stock, shoppers }) {
      // Every process ends itself when its time is up; SIGKILL is for one that does not.
      const graceMs = 1_500 + Math.max(...services.map((service) => tuning(service).stop.waitMs));
      const layer = createLayer({ undo, watchdog, graceMs });
      const jwtSecret = randomBytes(16).toString('hex');
      const configOf = (seat: Seat, dial: (callee: Backing) => string): ServiceConfig => ({
        service: seat.service,
        replica: seat.replica,
        listen: seat.address,
        admin: seat.admin,
        mysql: dial('mysql'),
        redis: dial('redis'),
        etcd: dial('etcd'),
        otlp: dial('otlp'),
        mysqlUser: servers.mysql.user,
        mysqlPassword: servers.mysql.password,
        namespace,
        addresses: Object.fromEntries(wiresBetween(seat.service, wires).map((wire) => [wire.upstream, addressOf(wire.name)])),
        epochOffsetNs: `${epochOffsetNs}`,
        jwtSecret,
        tuning: tuning(seat.service),
      });
      const launch = (name: string, main: string, { config, either = signal, more = {} }: Launch) =>
        layer.start({
          name,
          command: process.execPath,
          // A small young generation saves 100 MB in each of a dozen processes, at no visible cost.
          args: ['--max-semi-space-size=4', join(root, 'system', main)],
          env: { ...env, MALL_CONFIG: JSON.stringify(config), ...more },
          logFile: join(logFolder, `${name}.log`),
          signal: either,
        });

      const [first] = seats;
      if (first === undefined) throw new RangeError('Expected a mall of at least one process, got none');
      // Faults are for the mall's own traffic; seeding goes past them.
      const seedConfig = configOf(first, (callee) => backing[callee]);
      const seed = await launch('seed', 'seed/main.ts', { config: seedConfig, more: { MALL_SEED: JSON.stringify({ shoppers, stock }) } });
      await seed.succeeded({ timeoutMs: 60_000, signal });

      const open = async (seat: Seat, either: AbortSignal): Promise<RunningProcess> => {
        const dial = (callee: Backing) => (callsBacking(seat.service, callee) ? addressOf(`${seat.service}->${callee}`) : backing[callee]);
        const main = seat.service === 'gateway' ? 'gateway/main.ts' : `services/${seat.service}/main.ts`;
        const started = await launch(seat.instance, main, { config: configOf(seat, dial), either });
        try {
          await started.ready({ timeoutMs: 30_000, signal: either, probe: () => answersOk(`http://${seat.admin}/ready`) });
          return started;
        } catch (error) {
          // Its seat must be free for the next one.
          await started.kill();
          throw error;
        }
      };
      const started = await together(
        signal,
        seats.map((seat) => async (either) => ({ ...seat, process: await open(seat, either), open: () => open(seat, signal) })),
      );
      const processes = controlOf({ seats: started, graceMs });
      const replicas = started.map(({ process, open: _, ...seat }): Replica => ({ ...seat, pid: process.pid }));
      const gateways = seats.filter(({ service }) => service === 'gateway').map(({ address }) => address);
      const deaths = () =>
        [...layer.deaths(), ...servers.deaths()].map(({ name, how, atNs }) => ({ instance: name, how, atMs: msOf(atNs + epochOffsetNs) }));
      return { gateways, replicas, processes, mysql: servers.mysql, namespace, deaths };
    },
  };
}

/** Where a replica will be. */
type Seat = Omit<Replica, 'pid'>;

type Launch = { config: ServiceConfig; either?: AbortSignal; more?: NodeJS.ProcessEnv };

const root = join(import.meta.dirname, '..');
const cacheFolder = join(root, '.cache');

const msOf = (ns: bigint) => Number(ns / 1_000n) / 1_000;

/** The wires by which a service reaches replicas of others. */
const wiresBetween = (caller: Service, wires: readonly Wire[]) =>
  wires.filter((wire) => wire.edge.startsWith(`${caller}->`) && wire.replica !== undefined);

const callsBacking = (service: Service, callee: Backing) => (calls[service] as readonly string[]).includes(callee);
