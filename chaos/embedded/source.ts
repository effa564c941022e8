import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';

/** A socket that is read from. `to` says once who takes what is read. */
export type Source = { socket: Socket; to(take: Take): void };

/** Answers whether the bytes are still needed when it returns. If not, the next ones may come in their place. */
export type Take = (bytes: Buffer) => boolean;

/** What one read of Node brings at most. */
export const longestReadBytes = 64 * 1024;

export const acceptedSource = (socket: Socket): Source => ({ socket, to: (take) => void socket.on('data', take) });

/**
 * A connection that is dialled and read into the same memory again and again, as long as nobody needs it longer. Node gives every read memory
 * of its own otherwise, and while servers pour the proxy collects garbage for a good part of its time. Accepted sockets have no such option.
 */
export function dialledSource(options: TcpNetConnectOpts): Source {
  let take: Take = () => false;
  let memory: Buffer | undefined;
  const buffer = () => {
    memory ??= Buffer.allocUnsafeSlow(longestReadBytes);
    return memory;
  };
  const callback = (bytes: number) => {
    if (take(buffer().subarray(0, bytes))) memory = undefined;
    return true;
  };
  return {
    socket: connect({ ...options, onread: { buffer, callback } }),
    to(taker) {
      take = taker;
    },
  };
}
