import { setTimeout as sleep } from 'node:timers/promises';
import type { Etcd3, Lease } from 'etcd3';
import { messageOf } from '../../core/errors.ts';
import { watchReplicas } from './discovery.ts';

export type Registration = {
  /** Takes the replica out of etcd at once. Never rejects: without etcd the lease runs out by itself. */
  withdraw(): Promise<void>;
};

export type RegistrationEvent = { kind: 'registered' } | { kind: 'restored' } | { kind: 'lost'; cause: unknown } | { kind: 'withdrawn' };

/**
 * Lets callers find a replica: `<namespace>/<service>/<replica>` → address, for as long as this process keeps its lease alive
 * (governance.md 8.1). A lost lease is replaced, trying every second, and a key that others deleted is put back. Rejects when the first
 * registration fails.
 */
export async function publish({
  etcd,
  namespace,
  service,
  replica,
  address,
  ttlSeconds = 10,
  onEvent = () => {},
}: {
  etcd: Etcd3;
  namespace: string;
  service: string;
  replica: number;
  address: string;
  ttlSeconds?: number;
  onEvent?: (event: RegistrationEvent) => void;
}): Promise<Registration> {
  const key = `${namespace}/${service}/${replica}`;
  const withdrawal = new AbortController();
  let held: Lease | undefined;

  async function register(): Promise<Lease> {
    const lease = etcd.lease(ttlSeconds, soon());
    try {
      await lease.put(key).value(address).options(soon());
    } catch (cause) {
      lease.release();
      throw cause;
    }
    held = lease;
    lease.once('lost', (cause) => replace(lease, cause));
    onEvent({ kind: 'registered' });
    return lease;
  }

  function replace(lease: Lease, cause: unknown) {
    // More than one may notice that a lease is lost.
    if (withdrawal.signal.aborted || lease !== held) return;
    held = undefined;
    lease.release();
    onEvent({ kind: 'lost', cause });
    current = registerAgain();
  }

  async function registerAgain(): Promise<Lease | undefined> {
    while (!withdrawal.signal.aborted) {
      const lease = await register().catch(() => undefined);
      if (lease !== undefined) return lease;
      // Ends early when the replica is withdrawn; the loop then sees it.
      await sleep(retryMs, undefined, { signal: withdrawal.signal, ref: false }).catch(() => {});
    }
    return undefined;
  }

  /** Harmless when the key is there after all. */
  async function putBack() {
    const lease = await current;
    if (lease === undefined || withdrawal.signal.aborted) return;
    try {
      await lease.put(key).value(address).options(soon());
      onEvent({ kind: 'restored' });
    } catch (cause) {
      replace(lease, cause);
    }
  }

  let current: Promise<Lease | undefined> = register();
  await current.catch((cause) => {
    throw new Error(`Expected etcd to register ${service}.${replica} at ${address}, got: ${messageOf(cause)}`, { cause });
  });

  const watch = watchReplicas({
    keys: etcd.namespace(`${namespace}/`),
    service,
    onReplicas(replicas) {
      if (!replicas.has(String(replica))) putBack();
    },
    // If etcd stays away the lease will tell.
    onStale() {},
  });

  return {
    async withdraw() {
      withdrawal.abort();
      watch.stop();
      const lease = await current;
      await lease?.revoke(soon()).catch(() => {});
      onEvent({ kind: 'withdrawn' });
    },
  };
}

const retryMs = 1_000;
/** etcd answers within milliseconds or not at all. */
const soon = () => ({ deadline: Date.now() + 3_000 });
