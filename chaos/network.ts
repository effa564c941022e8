import { UsageError } from '../core/errors.ts';
import type { Wire } from '../system/topology.ts';
import { openControl } from './control.ts';
import type { Fault } from './faults.ts';
import { isLoopback } from './loopback.ts';
import { toxicOf } from './toxics.ts';

/** The mall's network: a proxy on every wire, faults on some of them. */
export type Network = {
  /** Where the caller of this wire connects to: `127.0.0.1:port`. */
  addressOf(wire: string): string;
  /** The wires that a fault concerns: all of its edge, or one replica's. A replica that does not exist is a `UsageError`. */
  wiresOf(fault: Fault): string[];
  /** Applies the fault on all its wires, or on none and throws. */
  apply(fault: Fault): Promise<AppliedFault>;
  /** Removes the proxies with all their toxics and connections. */
  close(): Promise<void>;
};

/** `undo` may be called again, as after an error. Faults that overlap on a wire are undone each on its own. */
export type AppliedFault = { wires: string[]; undo(): Promise<void> };

/**
 * Puts a proxy on each wire, named as the wire, on a free loopback port. The server behind `controlUrl` may be the embedded or a real
 * Toxiproxy; one that is not on this machine is a `UsageError` unless `allowRemote` says that it is meant: then the proxies listen on all
 * interfaces over there, and the upstreams must be reachable from there. `signal` gives up the opening.
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
  const switches = new Map(wires.map(({ name }) => [name, createSwitch((enabled) => control.setEnabled(name, enabled))]));
  let applied = 0;
  let addresses: Map<string, string>;

  try {
    signal.throwIfAborted();
    const listen = isLoopback(hostOf(controlUrl)) ? '127.0.0.1:0' : ':0';
    const listens = await control.populate(wires.map(({ name, upstream }) => ({ name, listen, upstream })));
    addresses = new Map([...listens].map(([name, address]) => [name, addressFrom(address, controlUrl)]));
    signal.throwIfAborted();
  } catch (error) {
    // What was made before the failure must not stay; if the server is gone, so are its proxies.
    await Promise.allSettled(wires.map(({ name }) => control.removeProxy(name)));
    await control.close();
    throw error;
  }

  return {
    addressOf(wire) {
      const address = addresses.get(wire);
      if (address === undefined) throw new Error(`Expected the name of a wire such as '${wires[0]?.name}', got '${wire}'`);
      return address;
    },

    wiresOf,

    async apply(fault) {
      const names = wiresOf(fault);
      applied += 1;
      const id = `${fault.kind}-${applied}`;
      const attempts = await Promise.allSettled(names.map((wire) => applyTo(wire, fault, id)));
      const undos = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
      const failed = attempts.find((attempt) => attempt.status === 'rejected');
      if (failed !== undefined) {
        await Promise.allSettled(undos.map((undo) => undo()));
        throw failed.reason;
      }
      return { wires: names, undo: () => all(undos.map((undo) => undo())) };
    },

    async close() {
      await all(wires.map(({ name }) => control.removeProxy(name))).finally(() => control.close());
    },
  };

  function wiresOf({ edge, replica }: Fault): string[] {
    const ofEdge = wires.filter((wire) => wire.edge === edge);
    const chosen = replica === undefined ? ofEdge : ofEdge.filter((wire) => wire.replica === replica);
    if (chosen.length === 0) throw new UsageError(missing(edge, replica, ofEdge));
    return chosen.map(({ name }) => name);
  }

  /** Answers how to undo it. */
  async function applyTo(wire: string, fault: Fault, id: string): Promise<() => Promise<void>> {
    const wireSwitch = switches.get(wire);
    if (wireSwitch === undefined) throw new Error(`There is no proxy on ${wire}`);
    const toxic = toxicOf(fault);
    if (toxic === undefined) return await wireSwitch.cut();
    await control.addToxic(wire, { ...toxic, name: id });
    const undo = () => control.removeToxic(wire, id);
    if (fault.kind !== 'reset') return undo;
    try {
      // Connections that were open before the toxic would only be closed by it, not reset: their owners must make new ones.
      await wireSwitch.recycle();
      return undo;
    } catch (error) {
      await undo();
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
  cut(): Promise<() => Promise<void>>;
  /** Closes all connections, and leaves the proxy as enabled as it was. */
  recycle(): Promise<void>;
};

/** A proxy is either enabled or not, while cuts may overlap: counts them, one change at a time. */
function createSwitch(setEnabled: (enabled: boolean) => Promise<void>): Switch {
  let cuts = 0;
  let last: Promise<unknown> = Promise.resolve();

  return {
    async cut() {
      cuts += 1;
      let isOn = true;
      const undo = () => {
        if (isOn) cuts -= 1;
        isOn = false;
        return settle();
      };
      try {
        await settle();
        return undo;
      } catch (error) {
        await undo().catch(() => {
          // The first error says more.
        });
        throw error;
      }
    },
    recycle: () =>
      inTurn(async () => {
        await setEnabled(false);
        if (cuts === 0) await setEnabled(true);
      }),
  };

  function settle(): Promise<void> {
    return inTurn(() => setEnabled(cuts === 0));
  }

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

/** Waits for all of them, then throws if one failed. */
async function all(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown);
  if (failed.length > 1)
    throw new AggregateError(failed, `${failed.length} of ${works.length} calls failed, the first: ${String(failed[0])}`);
  if (failed.length === 1) throw failed[0];
}
