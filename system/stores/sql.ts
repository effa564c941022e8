import { createHash } from 'node:crypto';
import { type Attributes, SpanKind } from '@opentelemetry/api';
import { createConnection, createPool, type Pool, type PoolConnection, type ResultSetHeader } from 'mysql2';
import { splitAddress } from '../../core/address.ts';
import { messageOf } from '../../core/errors.ts';
import { waitUntil } from '../../core/time.ts';
import type { Runtime } from '../runtime.ts';
import { attributes } from '../telemetry/names.ts';
import { inSpan } from '../telemetry/spans.ts';
import { databaseError, isAnswer, isDatabaseFault } from './faults.ts';
import { createGuard } from './guard.ts';
import { createLender, cut } from './lender.ts';
import { statementReader } from './statement.ts';

export { DuplicateKeyError, isDeadlock } from './faults.ts';

export type Param = string | number | bigint | boolean | Date | null;
export type Executed = { affectedRows: number; insertId: number };

/** Statements with `?` for every value. Reject with `DuplicateKeyError`, a refusal (`breaker`, `deadline`) or the failure 'database'. */
export type Tx = {
  query<Row>(sql: string, params?: readonly Param[]): Promise<Row[]>;
  execute(sql: string, params?: readonly Param[]): Promise<Executed>;
};

export type Sql = Tx & {
  /** Commits when `run` resolves; rolls back and passes the rejection on when it rejects. */
  transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T>;
  ping(): Promise<void>;
};

/**
 * The schema of this service (`mall_orders`), made where it is missing. All statements share one breaker, for which a transaction is one event;
 * nothing outlives the time of the call it belongs to. Rejects when the server cannot be reached within 15 s.
 *
 * Ten connections instead of go-zero's 64: six services of a few replicas each share a server that admits 151. What the business decides
 * within a transaction ('out of stock') and a key that exists are answers, as go-zero has its users register them; all else that the
 * database reports, also a deadlock, counts against it.
 */
export async function openSql(
  runtime: Runtime,
  { connections = 10, mostWaiting = 500, longestMs = 10_000 }: { connections?: number; mostWaiting?: number; longestMs?: number } = {},
): Promise<Sql> {
  const { config, clock, metrics, log } = runtime;
  const edge = `${config.service}->mysql`;
  const schema = `${config.namespace}_${config.service}`;
  const { host, port } = splitAddress(config.mysql);
  const server = { host, port, user: config.mysqlUser, password: config.mysqlPassword, connectTimeout: 2_000 };
  await makeSchema(server, schema);

  const pool = createPool({
    ...server,
    database: schema,
    connectionLimit: connections,
    maxIdle: connections,
    queueLimit: mostWaiting,
    supportBigNumbers: true,
    timezone: 'Z',
  });
  // Whoever waits for a statement hears of it by callback; an idle connection that breaks is replaced when one is needed.
  pool.on('connection', (connection) => void connection.on('error', () => undefined));
  const { lend, waits } = createLender(pool, { clock, longestMs });
  metrics.stores.sqlPools.push({
    schema,
    // Without the password: whoever may read metrics shall not be able to try passwords against the hash.
    hash: createHash('sha256').update(`${config.mysqlUser}@tcp(${config.mysql})/${schema}`).digest('hex'),
    read: () => ({ most: connections, ...connectionsOf(pool), waits: waits.count, waitedSeconds: waits.seconds }),
  });
  const guard = createGuard(runtime, { name: edge, kind: 'sql', hasFailed: isDatabaseFault });
  const statementOf = statementReader();
  const shared = {
    [attributes.dbSystem]: 'mysql',
    [attributes.dbNamespace]: schema,
    [attributes.serverAddress]: host,
  };
  const hasFailed = (thrown: unknown) => !isAnswer(thrown);

  function inStatementSpan<T>(sql: string, run: () => Promise<T>, onEdge: Attributes = { [attributes.edge]: edge }): Promise<T> {
    const { title, operation, text } = statementOf(sql);
    const details = { ...shared, ...onEdge, [attributes.dbOperation]: operation, [attributes.dbQuery]: text };
    return inSpan(runtime, title, run, { kind: SpanKind.CLIENT, attributes: details, hasFailed });
  }

  /** The transaction is the call on the edge; its statements are parts of it and must not be counted again. */
  const inPartSpan = <T>(sql: string, run: () => Promise<T>) => inStatementSpan(sql, run, {});

  async function timed<T>(command: 'exec' | 'query', run: () => Promise<T>): Promise<T> {
    const startMs = clock.nowMs();
    try {
      return await run();
    } catch (error) {
      if (isDatabaseFault(error)) log.warn({ err: error, edge }, 'The database failed');
      throw error;
    } finally {
      const tookMs = clock.nowMs() - startMs;
      metrics.sql.duration.labels(command).observe(tookMs);
      if (tookMs > slowMs) metrics.sql.slow.labels(command).inc();
    }
  }

  /** What the breaker refuses; the names of the commands are go-zero's. */
  const refusedBreaker = (command: string) => () => metrics.sql.errors.labels(command, 'breaker').inc();
  const countRefusal = { query: refusedBreaker('queryRows'), exec: refusedBreaker('Exec'), transact: refusedBreaker('Transact') };

  const sql: Sql = {
    query: <Row>(text: string, params: readonly Param[] = []) =>
      inStatementSpan(text, () =>
        guard(() => timed('query', () => lend((connection) => send<Row[]>(connection, text, params))), countRefusal.query),
      ),
    execute: (text, params = []) =>
      inStatementSpan(text, () =>
        guard(() => timed('exec', () => lend((connection) => send<ResultSetHeader>(connection, text, params))), countRefusal.exec),
      ),
    transaction: (run) =>
      inSpan(runtime, 'TRANSACTION', () => guard(() => lend((connection) => transact(connection, run)), countRefusal.transact), {
        kind: SpanKind.CLIENT,
        attributes: { ...shared, [attributes.edge]: edge, [attributes.dbOperation]: 'TRANSACTION' },
        hasFailed,
      }),
    ping: () => lend((connection) => answered((done) => connection.ping(done))),
  };

  async function transact<T>(connection: PoolConnection, run: (tx: Tx) => Promise<T>): Promise<T> {
    await command(connection, 'START TRANSACTION');
    try {
      const result = await run({
        query: <Row>(text: string, params: readonly Param[] = []) =>
          inPartSpan(text, () => timed('query', () => send<Row[]>(connection, text, params))),
        execute: (text, params = []) => inPartSpan(text, () => timed('exec', () => send<ResultSetHeader>(connection, text, params))),
      });
      await command(connection, 'COMMIT');
      return result;
    } catch (error) {
      // A connection that cannot roll back is cut, which makes the server do it.
      await command(connection, 'ROLLBACK').catch(() => cut(connection));
      throw error;
    }
  }

  runtime.addCheck('mysql', sql.ping);
  runtime.onStop('mysql', () => answered((done) => pool.end(done)));
  return sql;
}

const slowMs = 500;

/** How many there are and how many of them nobody uses. Not among the driver's types. */
function connectionsOf(pool: Pool): { open: number; idle: number } {
  return { open: Reflect.get(pool, '_allConnections').length, idle: Reflect.get(pool, '_freeConnections').length };
}

/** Prepared once per connection and text, so values never become part of the text. */
function send<T>(connection: PoolConnection, text: string, params: readonly Param[]): Promise<T> {
  return new Promise((resolve, reject) => {
    connection.execute(text, params as Param[], (error, result) => {
      if (error === null) resolve(result as T);
      else reject(databaseError(error));
    });
  });
}

const command = (connection: PoolConnection, text: string): Promise<void> => answered((done) => connection.query(text, done));

function answered(ask: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    ask((error) => {
      if (error) reject(databaseError(error));
      else resolve();
    });
  });
}

async function makeSchema(server: object, schema: string): Promise<void> {
  let last: unknown;
  const describe = () => `Expected MySQL to have the schema '${schema}', got '${messageOf(last)}'`;
  await waitUntil({ timeoutMs: 15_000, everyMs: 200, describe }, () => {
    const connection = createConnection(server);
    return new Promise<boolean>((resolve) => {
      connection.on('error', () => undefined);
      connection.query(`CREATE DATABASE IF NOT EXISTS \`${schema}\``, (error) => {
        last = error;
        connection.destroy();
        resolve(error === null);
      });
    });
  });
}
