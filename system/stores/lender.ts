import type { Socket } from 'node:net';
import type { Pool, PoolConnection } from 'mysql2';
import type { RunClock } from '../../core/time.ts';
import { refused } from '../errors.ts';
import { remainingMs } from '../rpc/context.ts';
import { databaseError } from './faults.ts';

/** Does work on a connection of the pool. Rejects with the refusal 'deadline' when the call's time is up. */
type Lend = <T>(work: (connection: PoolConnection) => Promise<T>) => Promise<T>;
/** Loans that had to wait for a connection, and for how long together. */
type Waits = { readonly count: number; readonly seconds: number };

/**
 * Lends connections for no longer than the call has time left, at most `longestMs`. A connection that is still busy then is cut, because nobody
 * waits for its answer any more and the next borrower must not queue behind it; the server rolls back what it had begun.
 */
export function createLender(pool: Pool, { clock, longestMs }: { clock: RunClock; longestMs: number }): { lend: Lend; waits: Waits } {
  const leftMs = () => Math.ceil(Math.min(remainingMs(clock), longestMs));
  const waits = { count: 0, seconds: 0 };
  pool.on('enqueue', () => {
    waits.count += 1;
  });

  function borrow(): Promise<PoolConnection> {
    const { count } = waits;
    const borrowed = request();
    // The pool says at once that it has none to give.
    if (waits.count === count) return borrowed;
    const startMs = clock.nowMs();
    return borrowed.finally(() => {
      waits.seconds += (clock.nowMs() - startMs) / 1_000;
    });
  }

  function request(): Promise<PoolConnection> {
    return new Promise((resolve, reject) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        reject(refused('deadline', 'No connection to the database became free in time'));
      }, leftMs());
      pool.getConnection((error, connection) => {
        clearTimeout(timer);
        if (error) reject(databaseError(error));
        else if (isLate) connection.release();
        else resolve(connection);
      });
    });
  }

  async function lend<T>(work: (connection: PoolConnection) => Promise<T>): Promise<T> {
    const connection = await borrow();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(refused('deadline', 'The database did not answer in time'));
        cut(connection);
      }, leftMs());
      work(connection)
        .finally(() => {
          clearTimeout(timer);
          // Of no effect on a connection that was cut or has broken.
          connection.release();
        })
        .then(resolve, reject);
    });
  }

  return { lend, waits };
}

/**
 * Ends a connection at once. The driver's own `destroy` says goodbye and waits: where the network has gone silent the socket stays open for
 * minutes, and what was asked of the connection is never answered. With its stream destroyed, everything it still owes is rejected.
 */
export function cut(connection: PoolConnection): void {
  connection.destroy();
  // Not among the driver's types.
  const stream: Socket = Reflect.get(connection, 'stream');
  stream.destroy(new Error('The connection to the database was cut'));
}
