import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Random } from '../../core/random.ts';
import type { Clock } from '../../core/time.ts';
import { parseAddress } from './address.ts';
import { type Link, openLink } from './link.ts';
import { listenOn } from './listen.ts';
import { acceptedSource, dialledSource, type Source } from './source.ts';
import type { Stream, Toxic } from './toxic.ts';
import type { Flow, Traffic } from './traffic.ts';

/** One proxy: where it listens, whom it dials, its connections, and a chain of toxics for each direction. Chains outlive the listener. */
export type EmbeddedProxy = {
  readonly name: string;
  /** As given until it listens; from then on with the true host and port. */
  listen: string;
  upstream: string;
  readonly toxics: Readonly<Record<Stream, readonly Toxic[]>>;
  readonly counts: Readonly<Counts>;
  isEnabled(): boolean;
  /** Listens. Nothing happens where it already does. Throws in the words of the original where it cannot. */
  start(): Promise<void>;
  /** Closes the listener and every connection at once; bytes still under way are lost. */
  stop(): Promise<void>;
  add(toxic: Toxic): void;
  /** To be called after a change of the toxic's attributes or toxicity. */
  update(toxic: Toxic): void;
  remove(toxic: Toxic): void;
};

/** `failedDials` of those accepted found no upstream; `open` are neither that nor closed. */
type Counts = { open: number; accepted: number; failedDials: number };

type Connection = { client: Socket; server: Socket; links: Record<Stream, Link> | undefined };

export function createProxy({
  name,
  listen,
  upstream,
  traffic,
  clock,
  randomOf,
}: {
  name: string;
  listen: string;
  upstream: string;
  traffic: Traffic;
  clock: Clock;
  randomOf: (stream: Stream) => Random;
}): EmbeddedProxy {
  const random = { upstream: randomOf('upstream'), downstream: randomOf('downstream') };
  const toxics: Record<Stream, Toxic[]> = { upstream: [], downstream: [] };
  const connections = new Set<Connection>();
  const counts: Counts = { open: 0, accepted: 0, failedDials: 0 };
  let listener: Server | undefined;

  const proxy: EmbeddedProxy = {
    name,
    listen,
    upstream,
    toxics,
    counts,
    isEnabled: () => listener !== undefined,

    async start() {
      if (listener !== undefined) return;
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true }, accept);
      proxy.listen = await listenOn(server, proxy.listen);
      // A connection that cannot be accepted, for want of file descriptors, is the client's to notice.
      server.on('error', () => {});
      listener = server;
    },

    async stop() {
      if (listener === undefined) return;
      const closed = once(listener, 'close');
      listener.close();
      listener = undefined;
      for (const { client, server } of connections) {
        client.destroy();
        server.destroy();
      }
      await closed;
    },

    add(toxic) {
      toxics[streamOf(toxic)].push(toxic);
      for (const link of openLinks(toxic)) link.add(toxic);
    },

    update(toxic) {
      for (const link of openLinks(toxic)) link.update(toxic);
    },

    remove(toxic) {
      const chain = toxics[streamOf(toxic)];
      const index = chain.indexOf(toxic);
      if (index === -1) return;
      chain.splice(index, 1);
      for (const link of openLinks(toxic)) link.remove(toxic);
    },
  };
  return proxy;

  /** The client is read only once the upstream has answered: pauseOnConnect. Dials do not wait for each other. */
  function accept(client: Socket): void {
    client.on('error', closeFollows);
    counts.accepted += 1;
    const dialled = dial();
    if (dialled === undefined) {
      counts.failedDials += 1;
      client.destroy();
      return;
    }
    const server = dialled.socket;
    const connection: Connection = { client, server, links: undefined };
    connections.add(connection);
    counts.open += 1;
    const forget = () => {
      if (client.destroyed && server.destroyed && connections.delete(connection)) counts.open -= 1;
    };
    client.on('close', forget);
    server.on('close', forget);
    // A dial that is given up because the proxy stops has not failed: it ends without an error.
    server.once('error', () => {
      if (connection.links === undefined) counts.failedDials += 1;
    });
    server.once('close', () => {
      if (connection.links === undefined) client.destroy();
    });
    server.once('connect', () => {
      connection.links = openLinksOf(acceptedSource(client), dialled);
    });
  }

  function dial(): Source | undefined {
    try {
      const { host, port } = parseAddress(proxy.upstream);
      const dialled = dialledSource({ host: host === '' ? 'localhost' : host, port, allowHalfOpen: true, noDelay: true, keepAlive: true });
      dialled.socket.on('error', closeFollows);
      return dialled;
    } catch {
      // An upstream that is no address is as unreachable as one where nobody listens.
      return undefined;
    }
  }

  function openLinksOf(client: Source, server: Source): Record<Stream, Link> {
    let beganUnderReset = false;
    const close = (socket: Socket) => {
      if (socket.destroyed) return;
      // A toxic that was removed in time leaves no trace.
      if (beganUnderReset && (upstream.resets() || downstream.resets())) socket.resetAndDestroy();
      else socket.destroySoon();
    };
    const open = (stream: Stream, source: Source, destination: Socket) =>
      openLink({ source, destination, toxics: toxics[stream], close, flow: flowOf(stream, client.socket), clock, random: random[stream] });
    const upstream = open('upstream', client, server.socket);
    const downstream = open('downstream', server, client.socket);
    beganUnderReset = upstream.resets() || downstream.resets();
    return { upstream, downstream };
  }

  function flowOf(direction: Stream, client: Socket): Flow {
    const flow = traffic.flowOf({ direction, listener: proxy.listen, proxy: name, upstream: proxy.upstream });
    flow.connections += 1;
    client.once('close', () => {
      flow.connections -= 1;
    });
    return flow;
  }

  function openLinks(toxic: Toxic): Link[] {
    const stream = streamOf(toxic);
    return [...connections].flatMap(({ links }) => links?.[stream] ?? []);
  }
}

/** Names of streams are taken in any case and kept as they came. */
function streamOf({ stream }: { stream: string }): Stream {
  return stream.toLowerCase() === 'upstream' ? 'upstream' : 'downstream';
}

/** An error of a socket is followed by its close, which is what the links listen to. */
function closeFollows(): void {}
