import { type Random, seededRandom } from '../../core/random.ts';
import type { Clock } from '../../core/time.ts';
import { type Address, formatAddress, isSameListen, parseAddress, resolveAddress } from './address.ts';
import { type ProxyFields, parseAttributes, type ToxicFields } from './body.ts';
import { createProxy, type EmbeddedProxy } from './proxy.ts';
import { refusals } from './refusal.ts';
import type { Toxic } from './toxic.ts';
import { toxicKinds } from './toxics/table.ts';
import type { Traffic } from './traffic.ts';

/**
 * The proxies of a server by name, and what control calls do to them. Refusals are thrown; other errors come from the operating
 * system. Calls that open or close the listener of a proxy run one after the other; none waits for a peer.
 */
export type Proxies = {
  all(): EmbeddedProxy[];
  find(name: string): EmbeddedProxy;
  create(fields: ProxyFields): Promise<EmbeddedProxy>;
  update(proxy: EmbeddedProxy, fields: ProxyFields): Promise<void>;
  /** Makes all of them be there, and leaves those alone that already are. `done` is filled as it goes, so that it tells what was done before an error. */
  populate(entries: readonly ProxyFields[], done: EmbeddedProxy[]): Promise<void>;
  remove(proxy: EmbeddedProxy): Promise<void>;
  /** Enables every proxy and removes every toxic. A proxy that cannot listen does not keep the others from it. */
  reset(): Promise<void>;
  /** Closes every listener and every connection. */
  close(): Promise<void>;
};

/** `seed` makes the draws of toxicity and jitter reproducible, for each proxy and direction on its own. */
export function createProxies({ clock, seed, traffic }: { clock: Clock; seed: number; traffic: Traffic }): Proxies {
  const byName = new Map<string, EmbeddedProxy>();
  const inTurn = createTurns();

  return {
    all: () => [...byName.values()],

    find(name) {
      const proxy = byName.get(name);
      if (proxy === undefined) throw refusals.noProxy();
      return proxy;
    },

    async create(fields) {
      const wanted = check(fields);
      return await inTurn(wanted.name, async () => {
        if (byName.has(wanted.name)) throw refusals.proxyExists();
        return await put(wanted);
      });
    },

    update: (proxy, fields) =>
      inTurn(proxy.name, async () => {
        // While its body was read the proxy may have been removed: started now, nobody could stop it again.
        if (byName.get(proxy.name) !== proxy) throw refusals.noProxy();
        await change(proxy, fields);
      }),

    async populate(entries, done) {
      const wanted = entries.map((fields, index) => check(fields, ` at proxy ${index + 1}`));
      for (const entry of wanted) done.push(await inTurn(entry.name, () => ensure(entry)));
    },

    remove: (proxy) =>
      inTurn(proxy.name, async () => {
        if (byName.get(proxy.name) !== proxy) throw refusals.noProxy();
        byName.delete(proxy.name);
        await proxy.stop();
      }),

    async reset() {
      const resets = await Promise.allSettled([...byName.values()].map((proxy) => inTurn(proxy.name, () => restore(proxy))));
      const failed = resets.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },

    async close() {
      await Promise.all([...byName.values()].map((proxy) => inTurn(proxy.name, () => proxy.stop())));
    },
  };

  async function restore(proxy: EmbeddedProxy): Promise<void> {
    if (byName.get(proxy.name) !== proxy) return;
    try {
      await proxy.start();
    } finally {
      for (const toxic of toxicsOf(proxy)) proxy.remove(toxic);
    }
  }

  async function put({ name, listen, upstream, enabled }: Required<ProxyFields>): Promise<EmbeddedProxy> {
    const proxy = createProxy({ name, listen, upstream, traffic, clock, randomOf: (stream) => randomFor(`${name} ${stream}`, seed) });
    if (enabled) await proxy.start();
    byName.set(name, proxy);
    return proxy;
  }

  async function ensure(wanted: Required<ProxyFields>): Promise<EmbeddedProxy> {
    const existing = byName.get(wanted.name);
    if (existing === undefined) return await put(wanted);
    if (existing.upstream === wanted.upstream && isMeantFor(existing, await resolveAddress(wanted.listen))) return existing;
    await existing.stop();
    return await put(wanted);
  }
}

/** All toxics of a proxy in the order in which they are shown. */
export const toxicsOf = (proxy: EmbeddedProxy): Toxic[] => [...proxy.toxics.upstream, ...proxy.toxics.downstream];

export function findToxic(proxy: EmbeddedProxy, name: string): Toxic {
  const toxic = toxicsOf(proxy).find((one) => one.name === name);
  if (toxic === undefined) throw refusals.noToxic();
  return toxic;
}

export function addToxic(proxy: EmbeddedProxy, fields: ToxicFields): Toxic {
  const { type = '', stream = 'downstream', toxicity = 1 } = fields;
  if (!['upstream', 'downstream'].includes(stream.toLowerCase())) throw refusals.badStream();
  const name = fields.name === undefined || fields.name === '' ? `${type}_${stream}` : fields.name;
  const kind = toxicKinds.get(type);
  if (kind === undefined) throw refusals.badType();
  if (toxicsOf(proxy).some((toxic) => toxic.name === name)) throw refusals.toxicExists();
  const unset = Object.fromEntries(kind.attributes.map((attribute) => [attribute, 0]));
  const toxic = { name, type, stream, toxicity, attributes: { ...unset, ...parseAttributes(fields.attributes, kind.attributes) }, kind };
  proxy.add(toxic);
  return toxic;
}

export function updateToxic(proxy: EmbeddedProxy, toxic: Toxic, { attributes, toxicity }: ToxicFields): void {
  Object.assign(toxic.attributes, parseAttributes(attributes, toxic.kind.attributes));
  toxic.toxicity = toxicity ?? toxic.toxicity;
  proxy.update(toxic);
}

function check({ name = '', listen = '', upstream = '', enabled = true }: ProxyFields, place?: string): Required<ProxyFields> {
  if (name === '') throw refusals.missingField('name', place);
  if (upstream === '') throw refusals.missingField('upstream', place);
  return { name, listen, upstream, enabled };
}

async function change(proxy: EmbeddedProxy, { listen, upstream, enabled }: ProxyFields): Promise<void> {
  const wasEnabled = proxy.isEnabled();
  const wanted = listen === undefined ? undefined : await resolveAddress(listen);
  const moves = wanted !== undefined && !isMeantFor(proxy, wanted);
  if (moves || (upstream !== undefined && upstream !== proxy.upstream)) {
    await proxy.stop();
    if (moves) proxy.listen = formatAddress(wanted);
    proxy.upstream = upstream ?? proxy.upstream;
  }
  if (enabled ?? wasEnabled) await proxy.start();
  else await proxy.stop();
}

/** Compares with the host looked up, as the original does: `localhost:80` is where a proxy on `127.0.0.1:80` listens. */
function isMeantFor({ listen }: EmbeddedProxy, wanted: Address): boolean {
  try {
    return isSameListen(parseAddress(listen), wanted);
  } catch {
    // Where it should have listened was never an address.
    return false;
  }
}

function randomFor(name: string, seed: number): Random {
  let hash = seed;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return seededRandom(hash);
}

/** Runs what concerns one proxy one after the other; a name that is slow to look up holds up no other proxy. */
function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = (last.get(name) ?? Promise.resolve()).then(work);
    const settled = turn
      .catch(() => {})
      .then(() => {
        if (last.get(name) === settled) last.delete(name);
      });
    last.set(name, settled);
    return turn;
  };
}
