import { createServer, type Server } from 'node:net';
import { UsageError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';

export type Ports = {
  /** A port of this run on 127.0.0.1 that nothing listens at right now. Every call gives another one. */
  next: () => Promise<number>;
  /** Gives the ports back. */
  close: () => Promise<void>;
};

/** Listens at a port of 127.0.0.1 until released; undefined when somebody else does. */
export type Hold = (port: number) => Promise<{ release: () => Promise<void> } | undefined>;

/**
 * Ports for one run. Runs on one machine never share any: each claims blocks of 100 by listening at the first port of a block for as long as
 * it lives, so the claim ends with the process, however that ends. All blocks lie below the range from which systems take
 * ports for outgoing connections (32768 and up), so none is lost between checking it and using it. Throws `UsageError` when all blocks are taken.
 */
export async function claimPorts({ random, hold = holdPort }: { random: Random; hold?: Hold }): Promise<Ports> {
  const claims: { release: () => Promise<void> }[] = [];
  const blocks = blocksFrom(Math.floor(random() * blockCount))[Symbol.iterator]();
  let upcoming = 0;
  let blockEnd = 0;

  async function claimBlock() {
    for (let block = blocks.next(); !block.done; block = blocks.next()) {
      const claim = await hold(block.value);
      if (claim === undefined) continue;
      claims.push(claim);
      upcoming = block.value + 1;
      blockEnd = block.value + blockSize;
      return;
    }
    throw new UsageError(
      `Expected a free block of ports between ${firstPort} and ${firstPort + blockCount * blockSize - 1} on 127.0.0.1, but all ${blockCount} are taken: end other runs (\`ss -ltnp\` lists who listens)`,
    );
  }

  // Calls that overlap wait for each other, so that no two get the same port.
  let last: Promise<unknown> = Promise.resolve();
  async function findNext(): Promise<number> {
    for (;;) {
      if (upcoming === blockEnd) await claimBlock();
      const port = upcoming++;
      const probe = await hold(port);
      if (probe === undefined) continue;
      await probe.release();
      return port;
    }
  }

  await claimBlock();
  return {
    next() {
      const found = last.then(findNext);
      last = found.catch(() => undefined);
      return found;
    },
    async close() {
      await Promise.all(claims.map((claim) => claim.release()));
    },
  };
}

const firstPort = 20_000;
const blockSize = 100;
const blockCount = 120;

/** The first ports of all blocks, round the circle from the given one. */
function blocksFrom(start: number): number[] {
  return Array.from({ length: blockCount }, (_, index) => firstPort + ((start + index) % blockCount) * blockSize);
}

async function holdPort(port: number): Promise<{ release: () => Promise<void> } | undefined> {
  const server = createServer((socket) => socket.destroy());
  const isHeld = await listens(server, port);
  if (!isHeld) return undefined;
  server.unref();
  return { release: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
}
