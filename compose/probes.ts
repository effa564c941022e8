import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { splitAddress } from '../core/address.ts';

/** Whether `GET url` answers 200 within a second. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    // Nobody listens yet, or the answer is late: not ready.
    return false;
  }
}

/** Whether a MySQL or MariaDB server greets who connects. */
export const greetsAsMysql = (address: string) => firstBytes(address, '').then((bytes) => bytes[4] === mysqlProtocolVersion);

/** Whether a Redis server answers a ping. */
export const answersPing = (address: string) =>
  firstBytes(address, 'PING\r\n').then((bytes) => bytes.toString('latin1').startsWith('+PONG'));

const mysqlProtocolVersion = 10;

/** The first bytes that come from `host:port` after `request` was sent; none when nothing comes within a second. */
async function firstBytes(address: string, request: string): Promise<Buffer> {
  const socket = connect(splitAddress(address));
  try {
    return await Promise.race([
      new Promise<Buffer>((resolve, reject) => {
        socket.once('connect', () => socket.write(request));
        socket.once('data', resolve);
        socket.once('error', reject);
        socket.once('close', () => resolve(Buffer.alloc(0)));
      }),
      sleep(1_000, Buffer.alloc(0), { ref: false }),
    ]);
  } catch {
    return Buffer.alloc(0);
  } finally {
    socket.destroy();
  }
}
