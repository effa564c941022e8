import { connect as connectTo } from 'node:net';
import type { Dialect } from './dialects.ts';

/** What became of a question. `pieces` is how many reads its answer came in. */
export type Answer =
  | { kind: 'answered'; tookMs: number; pieces: number }
  | { kind: 'unanswered'; tookMs: number }
  /** The connection was not to be had, or ended before the answer was there. */
  | { kind: 'refused' | 'reset' | 'closed'; tookMs: number };

/** A connection of a canary, for one question at a time. Nothing it does throws. */
export type Line = {
  /** Asks for an answer of about so many bytes, in a question of as many where the protocol has such. Connects first where need be. */
  ask(bytes: number): Promise<Answer>;
  /** Says that it will send no more, and answers how long it took the other side to close. */
  hangUp(): Promise<Answer>;
  isUsable(): boolean;
  /** Pending questions are then `closed`. */
  close(): void;
};

/** A line to `address` that speaks `dialect`. */
export function openLine({ address, dialect, nowMs }: { address: string; dialect: Dialect; nowMs: () => number }): Line {
  const [host = '', port = ''] = [address.slice(0, address.lastIndexOf(':')), address.slice(address.lastIndexOf(':') + 1)];
  const socket = connectTo({ host, port: Number(port), noDelay: true });
  const speaker = dialect(socket);
  let pieces = 0;
  let end: 'refused' | 'reset' | 'closed' | undefined;
  let isConnected = false;
  /** Of the question that is being asked, if any. A promise that lives as long as the connection would remember every question. */
  let whenEnded = () => {};
  socket.on('connect', () => {
    isConnected = true;
  });
  socket.on('data', () => {
    pieces += 1;
  });
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    end ??= code === 'ECONNRESET' || code === 'EPIPE' ? 'reset' : isConnected ? 'closed' : 'refused';
    whenEnded();
  });
  for (const event of ['end', 'close'] as const) {
    socket.on(event, () => {
      end ??= 'closed';
      whenEnded();
    });
  }

  return {
    ask: (bytes) => timed(() => speaker.ask(bytes)),
    hangUp: () => timed(() => void socket.end()),
    isUsable: () => end === undefined,
    close() {
      end ??= 'closed';
      speaker.close();
      socket.destroy();
    },
  };

  /** Until the work is done, or, where it has no end of its own or fails, until the connection ends. */
  async function timed(work: () => Promise<void> | void): Promise<Answer> {
    const [startMs, before] = [nowMs(), pieces];
    const isAnswered = await new Promise<boolean>((resolve) => {
      whenEnded = () => resolve(false);
      work()?.then(
        () => resolve(true),
        () => {},
      );
      if (end !== undefined) whenEnded();
    });
    const tookMs = nowMs() - startMs;
    if (isAnswered) return { kind: 'answered', tookMs, pieces: pieces - before };
    return { kind: end ?? 'closed', tookMs };
  }
}
