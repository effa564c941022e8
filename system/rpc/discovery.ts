import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from 'etcd3';

/** What etcd knows of a service: replica number (the end of its key) → registered address. */
export type Replicas = ReadonlyMap<string, string>;

/**
 * Tells of the replicas of a service as soon as etcd has answered and after every change, until stopped (governance.md 8.2). Every event
 * is a reason to read the whole prefix again, so that no order of events, lost connection or compaction can leave a mixture behind.
 * While etcd cannot be read, `onReplicas` stays silent: `onStale` says so once, and reading is tried every second.
 */
export function watchReplicas({
  keys,
  service,
  onReplicas,
  onStale,
}: {
  keys: Namespace;
  service: string;
  onReplicas: (replicas: Replicas) => void;
  onStale: (cause: unknown) => void;
}): { stop(): void } {
  const stopping = new AbortController();
  const { signal } = stopping;
  let isReading = false;
  let hasChanged = false;
  let isStale = false;
  let known: Replicas | undefined;
  let watcher = watch();

  function watch() {
    return keys
      .watch()
      .prefix(`${service}/`)
      .watcher()
      .on('connected', refresh)
      .on('data', refresh)
      .on('disconnected', lose)
      .on('error', async (cause) => {
        // etcd ended this watch, for instance because its history was compacted.
        lose(cause);
        await pause();
        if (!signal.aborted) watcher = watch();
      });
  }

  async function refresh() {
    hasChanged = true;
    if (isReading) return;
    isReading = true;
    while (hasChanged && !signal.aborted) {
      hasChanged = false;
      try {
        const replicas = await read();
        if (signal.aborted) break;
        isStale = false;
        if (known !== undefined && isSame(known, replicas)) continue;
        onReplicas(replicas);
        // What was not taken is told again.
        known = replicas;
      } catch (cause) {
        lose(cause);
        hasChanged = true;
        await pause();
      }
    }
    isReading = false;
  }

  async function read(): Promise<Replicas> {
    const prefix = `${service}/`;
    const found = await keys
      .getAll()
      .prefix(prefix)
      .options({ deadline: Date.now() + readTimeoutMs })
      .strings();
    return new Map(Object.entries(found).map(([key, address]) => [key.slice(prefix.length), address]));
  }

  function lose(cause: unknown) {
    if (!isStale && !signal.aborted) onStale(cause);
    isStale = true;
  }

  /** Ends early when stopped. */
  const pause = () => sleep(retryMs, undefined, { signal, ref: false }).catch(() => {});

  return {
    stop() {
      stopping.abort();
      // Without a connection there is nothing to cancel at the other end.
      watcher.cancel().catch(() => {});
    },
  };
}

function isSame(one: Replicas, other: Replicas): boolean {
  return one.size === other.size && [...one].every(([replica, address]) => other.get(replica) === address);
}

const readTimeoutMs = 3_000;
const retryMs = 1_000;
