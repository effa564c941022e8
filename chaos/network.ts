import { messageOf, UsageError } from '../core/errors.ts';
import type { Wire } from '../system/topology.ts';
import { openControl } from './control.ts';
import { type NetworkFault, openConnections } from './faults.ts';
import { isLoopback } from './loopback.ts';
import { isOrphan, ownPrefix } from './owner.ts';
import { all, atAllOrNone, hold, type Target, type Undo } from './target.ts';
import { toxicsOf } from './toxics.ts';

/** The mall's network: a proxy on every wire, faults on some of them. The places of a fault are wires: all of its edge, or one replica's. */
export type Network = Target<NetworkFault> & {
  /** Where the caller of this wire connects to: `127.0.0.1:port`. */
  addressOf(wire: string): string;
  /** Removes the proxies with all their toxics and connections. */
  close(): Promise<void>;
};

/**
 * Puts a proxy on each wire, on a free loopback port, and takes away what runs that were killed have left on the server. The server behind
 * `controlUrl` may be the embedded or a real Toxiproxy; one that does not answer is a `UsageError`, and so is one that is not on this machine
 * unless `allowRemote` says that it is meant: then the proxies listen on all interfaces over there, and the upstreams must be reachable from
 * there. `signal` gives up the opening.
 */
export async function openNetwork({
  controlUrl,
  allowRemote = false,
  wires,
  signal,
}: {
  controlUrl: string;
  allowRemote?: boolean;
  wires: readonly Wire[];
  signal: AbortSignal;
}): Promise<Network> {
  const control = openControl({ controlUrl, allowRemote });
  const prefix = ownPrefix();
  const proxyOn = (wire: string) => `${prefix}${wire}`;
  const switches = new Map(wires.map(({ name }) => [name, createSwitch((enabled) => control.setEnabled(proxyOn(name), enabled))]));
  let applied = 0;
  let addresses: Map<string, string>;
  let mayBeThere: readonly Wire[] = [];

  try {
    signal.throwIfAborted();
    const present = await control.proxies().catch((cause: unknown) => {
      throw new UsageError(messageOf(cause), { cause });
    });
    await all(present.filter(isOrphan).map((name) => control.removeProxy(name)));
    const listen = isLoopback(hostOf(controlUrl)) ? '127.0.0.1:0' : ':0';
    mayBeThere = wires;
    const listens = await control.populate(wires.map(({ name, upstream }) => ({ name: proxyOn(name), listen, upstream })));
    addresses = new Map([...listens].map(([name, address]) => [name.slice(prefix.length), addressFrom(address, controlUrl)]));
    signal.throwIfAborted();
  } catch (error) {
    // What was made before the failure must not stay; if the server is gone, so are its proxies.
    await Promise.allSettled(mayBeThere.map(({ name }) => control.removeProxy(proxyOn(name))));
    await control.close();
    throw error;
  }

  return {
    addressOf(wire) {
      const address = addresses.get(wire);
      if (address === undefined) throw new Error(`Expected the name of a wire such as '${wires[0]?.name}', got '${wire}'`);
      return address;
    },

    placesOf,

    apply(fault) {
      applied += 1;
      const id = `${fault.kind}-${applied}`;
      return atAllOrNone(placesOf(fault), (wire) => applyTo(wire, fault, id));
    },

    async close() {
      await all(wires.map(({ name }) => control.removeProxy(proxyOn(name)))).finally(() => control.close());
    },
  };

  function placesOf({ edge, replica }: NetworkFault): string[] {
    const ofEdge = wires.filter((wire) => wire.edge === edge);
    const chosen = replica === undefined ? ofEdge : ofEdge.filter((wire) => wire.replica === replica);
    if (chosen.length === 0) throw new UsageError(missing(edge, replica, ofEdge));
    return chosen.map(({ name }) => name);
  }

  async function applyTo(wire: string, fault: NetworkFault, id: string): Promise<Undo> {
    const wireSwitch = switches.get(wire);
    if (wireSwitch === undefined) throw new Error(`There is no proxy on ${wire}`);
    const undoToxics = await atAllOrNone(toxicsOf(fault), async (toxic) => {
      const name = `${id}-${toxic.stream}`;
      await control.addToxic(proxyOn(wire), { ...toxic, name });
      return () => control.removeToxic(proxyOn(wire), name);
    });
    if (fault.kind === 'cut') return await wireSwitch.cut();
    if (openConnections[fault.kind] === 'feel it') return undoToxics;
    try {
      await wireSwitch.recycle();
      return undoToxics;
    } catch (error) {
      await undoToxics();
      throw error;
    }
  }
}

const hostOf = (controlUrl: string) => new URL(controlUrl).hostname;

/** Where a proxy is reached from here: a server elsewhere only knows that it listens on all of its interfaces. */
export function addressFrom(listen: string, controlUrl: string): string {
  return listen.startsWith('127.') ? listen : `${hostOf(controlUrl)}${listen.slice(listen.lastIndexOf(':'))}`;
}

type Switch = {
  /** Disables the proxy until every cut of it is undone; answers how to undo this one. */
  cut(): Promise<Undo>;
  /** Closes all connections, and leaves the proxy as enabled as it was. */
  recycle(): Promise<void>;
};

/** A proxy is either enabled or not, while cuts may overlap: counts them, one change at a time. */
function createSwitch(setEnabled: (enabled: boolean) => Promise<void>): Switch {
  const cuts = { holders: 0 };
  let last: Promise<unknown> = Promise.resolve();

  return {
    cut: () => hold(cuts, () => inTurn(() => setEnabled(cuts.holders === 0))),
    recycle: () =>
      inTurn(async () => {
        await setEnabled(false);
        if (cuts.holders === 0) await setEnabled(true);
      }),
  };

  function inTurn(work: () => Promise<void>): Promise<void> {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  }
}

function missing(edge: string, replica: number | undefined, ofEdge: readonly Wire[]): string {
  if (ofEdge.length === 0) return `There is no wire on the edge '${edge}'`;
  const replicas = ofEdge.flatMap((wire) => wire.replica ?? []);
  return replicas.length === 0
    ? `'${edge}' has no replicas to choose from, got replica ${replica}`
    : `Expected a replica of '${edge}' out of ${replicas.join(', ')}, got ${replica}`;
}
