import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { messageOf, UsageError } from '../core/errors.ts';
import { type Backend, variables } from './given.ts';
import type { Layer } from './layer.ts';
import { libraryPath, unpackedServers } from './packages.ts';

/** A server's programs on this machine. `version` is what the server says of itself. */
export type Program = {
  server: string;
  version: string;
  env: NodeJS.ProcessEnv;
  /** MariaDB only: the script that makes an empty database. */
  install: string;
  /** The unpacked tree that holds it; absent for what the machine has installed. */
  tree?: string;
};

/**
 * The programs of the wanted servers: from PATH (and the folders for system programs, which are rarely on it), else from unpacked
 * packages. Throws `UsageError` with every other way to get them when neither works.
 */
export async function findPrograms(
  wanted: readonly Backend[],
  options: { env: NodeJS.ProcessEnv; cacheFolder: string; layer: Layer; signal: AbortSignal; progress: (line: string) => void },
): Promise<Map<Backend, Program>> {
  const programs = new Map<Backend, Program>();
  const folders = [...(options.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''), '/usr/sbin', '/usr/local/sbin'];
  const look = async (backend: Backend, base: Pick<Program, 'env' | 'tree'>, where: readonly string[]) => {
    const program = await findProgram(backend, { base, folders: where, layer: options.layer, signal: options.signal });
    if (program !== undefined) programs.set(backend, program);
  };

  const plainEnv = withoutServerSettings(options.env);
  await Promise.all(wanted.map((backend) => look(backend, { env: plainEnv }, folders)));
  const missing = wanted.filter((backend) => !programs.has(backend));
  if (missing.length === 0) return programs;

  if (!(await findFile('dpkg', folders)) || !(await findFile('apt-get', folders)))
    throw new UsageError(howToProvide(missing, 'not found on PATH'));
  let tree: string;
  try {
    tree = await unpackedServers(options);
  } catch (cause) {
    options.signal.throwIfAborted();
    throw new UsageError(howToProvide(missing, `not found on PATH, and their packages could not be fetched (${messageOf(cause)})`), {
      cause,
    });
  }
  const env = { ...plainEnv, LD_LIBRARY_PATH: [await libraryPath(tree), plainEnv.LD_LIBRARY_PATH].filter(Boolean).join(':') };
  await Promise.all(missing.map((backend) => look(backend, { env, tree }, [join(tree, 'usr/sbin'), join(tree, 'usr/bin')])));
  const unusable = missing.filter((backend) => !programs.has(backend));
  if (unusable.length > 0)
    throw new UsageError(howToProvide(unusable, `not usable as unpacked into ${tree}: remove that folder and try again`));
  return programs;
}

const titles: Record<Backend, string> = { mysql: 'MariaDB', redis: 'Redis', etcd: 'etcd' };

/** One sentence naming what is missing and why, then every way to get it, a line each. */
export function howToProvide(missing: readonly Backend[], why: string): string {
  const names = new Intl.ListFormat('en-GB').format(missing.map((backend) => titles[backend]));
  const brew = missing.map((backend) => titles[backend].toLowerCase()).join(' ');
  return [
    `${names} ${missing.length === 1 ? 'was' : 'were'} ${why}. Any of these helps:`,
    '  docker compose -f compose/compose.yaml up -d   (then set the variables written at the top of that file)',
    `  brew install ${brew}   (or your system's packages)`,
    `  ${missing.map((backend) => `${variables[backend]}=…`).join(' ')}   (addresses of servers that already run)`,
  ].join('\n');
}

/** Names under which a server's program is known, in order of preference. */
const serverNames: Record<Backend, readonly string[]> = { mysql: ['mariadbd', 'mysqld'], redis: ['redis-server'], etcd: ['etcd'] };

async function findProgram(
  backend: Backend,
  { base, folders, layer, signal }: { base: Pick<Program, 'env' | 'tree'>; folders: readonly string[]; layer: Layer; signal: AbortSignal },
): Promise<Program | undefined> {
  const install = backend === 'mysql' ? await findFile('mariadb-install-db', folders) : '';
  if (install === undefined) return undefined;
  for (const name of serverNames[backend]) {
    const server = await findFile(name, folders);
    if (server === undefined) continue;
    const version = await layer.run(server, ['--version'], { env: base.env, signal }).catch(() => undefined);
    signal.throwIfAborted();
    // An Oracle MySQL is called mysqld too, and is set up in another way; a program that cannot even say its version is none.
    if (version === undefined || (backend === 'mysql' && !version.includes('MariaDB'))) continue;
    return { ...base, server, install, version: /\d+\.\d+\.\d+/.exec(version)?.[0] ?? '0.0.0' };
  }
  return undefined;
}

async function findFile(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    const isExecutable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isExecutable) return path;
  }
  return undefined;
}

/** etcd takes every ETCD_… variable as a setting and refuses to start when flags say otherwise; MariaDB's clients do likewise. */
function withoutServerSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(ETCD|MYSQL|MARIADB)_/.test(name)));
}
