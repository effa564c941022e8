import { UsageError } from '../core/errors.ts';

export type Backend = 'mysql' | 'redis' | 'etcd';
export type MysqlServer = { host: string; port: number; user: string; password: string };
/** Servers that somebody else runs, told by environment variables; what is absent is started by us. Addresses are `host:port`. */
export type GivenServers = { mysql?: MysqlServer; redis?: string; etcd?: string };

export const variables: Record<Backend, string> = {
  mysql: 'STAMPEDE_MYSQL_URL',
  redis: 'STAMPEDE_REDIS_URL',
  etcd: 'STAMPEDE_ETCD_URL',
};

/** Reads the addresses of existing servers from the environment. Throws `UsageError` naming the variable, what was expected and what came. */
export function givenServers(env: NodeJS.ProcessEnv): GivenServers {
  const given: GivenServers = {};
  const mysql = urlIn(env, 'mysql');
  if (mysql !== undefined) {
    given.mysql = {
      host: mysql.hostname,
      port: Number(mysql.port || defaultPorts.mysql),
      user: decodeURIComponent(mysql.username) || 'root',
      password: decodeURIComponent(mysql.password),
    };
  }
  for (const backend of ['redis', 'etcd'] as const) {
    const url = urlIn(env, backend);
    if (url !== undefined) given[backend] = `${url.hostname}:${url.port || defaultPorts[backend]}`;
  }
  return given;
}

const examples: Record<Backend, string> = {
  mysql: 'mysql://user:password@127.0.0.1:3306',
  redis: 'redis://127.0.0.1:6379',
  etcd: 'http://127.0.0.1:2379',
};
const schemes: Record<Backend, string> = { mysql: 'mysql:', redis: 'redis:', etcd: 'http:' };
const defaultPorts: Record<Backend, number> = { mysql: 3306, redis: 6379, etcd: 2379 };

function urlIn(env: NodeJS.ProcessEnv, backend: Backend): URL | undefined {
  const text = env[variables[backend]];
  if (text === undefined || text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== schemes[backend] || !/^[\w.-]+$/.test(url.hostname))
    throw wrong(backend, `to be an address such as ${examples[backend]}`, text);
  if (!/^\/?$/.test(url.pathname) || url.search !== '') throw wrong(backend, 'to end after the port', text);
  if (backend !== 'mysql' && (url.username !== '' || url.password !== ''))
    throw wrong(backend, 'to name a server without a password', text);
  return url;
}

function wrong(backend: Backend, expected: string, text: string): UsageError {
  return new UsageError(`Expected ${variables[backend]} ${expected}, got '${text.replace(/:[^:@/]+@/, ':…@')}'`);
}
