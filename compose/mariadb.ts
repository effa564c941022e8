import { access, cp, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import type { MysqlServer } from './given.ts';
import type { Layer } from './layer.ts';
import { greetsAsMysql } from './probes.ts';
import type { Program } from './programs.ts';

type Options = {
  program: Program;
  port: number;
  /** For this run's data. */
  folder: string;
  /** Keeps an empty database over runs, because making one takes a second and copying it a twentieth. */
  cacheFolder: string;
  logFile: string;
  layer: Layer;
  signal: AbortSignal;
};

/** Starts MariaDB on 127.0.0.1 with an empty database and a root without password; resolves when it greets. */
export async function startMariadb({ program, port, folder, cacheFolder, logFile, layer, signal }: Options): Promise<void> {
  const template = await templateOf({ program, cacheFolder, logFile, layer, signal });
  const data = join(folder, 'mariadb');
  // A cache may lie behind a link, and what is written must not end up there.
  await cp(template, data, { recursive: true, dereference: true });
  const server = await layer.start({
    name: 'MariaDB',
    command: program.server,
    args: [
      ...commonArgs(program),
      ...serverArgs,
      `--datadir=${data}`,
      `--port=${port}`,
      `--socket=${folder}/db.sock`,
      `--pid-file=${folder}/db.pid`,
    ],
    env: program.env,
    logFile,
    signal,
  });
  await server.ready({ timeoutMs: 30_000, signal, probe: () => greetsAsMysql(`127.0.0.1:${port}`) });
}

/** Logs in, to see that a server somebody else runs is there and lets us in. */
export async function loginToMysql(server: MysqlServer): Promise<void> {
  const connection = await createConnection({ ...server, connectTimeout: 1_000 });
  await connection.end();
}

/** Removes what a run left in a server that goes on without it: all schemas of its namespace. */
export async function dropSchemas(server: MysqlServer, namespace: string): Promise<void> {
  const connection = await createConnection({ ...server, connectTimeout: 2_000 });
  try {
    const [rows] = await connection.query('SELECT schema_name AS name FROM information_schema.schemata WHERE LEFT(schema_name, ?) = ?', [
      namespace.length + 1,
      `${namespace}_`,
    ]);
    for (const { name } of rows as { name: string }[]) await connection.query('DROP DATABASE ??', [name]);
  } finally {
    await connection.end();
  }
}

/** An empty database in the cache, made when it is not there yet. It comes into being whole or not at all. */
async function templateOf({ program, cacheFolder, logFile, layer, signal }: Omit<Options, 'port' | 'folder'>): Promise<string> {
  const template = join(cacheFolder, `mariadb-${program.version}-${process.arch}`);
  const isThere = await access(template).then(
    () => true,
    () => false,
  );
  if (isThere) return template;
  await mkdir(cacheFolder, { recursive: true });
  const data = join(await layer.temporaryFolder(cacheFolder), 'data');
  const installer = await layer.start({
    name: 'mariadb-install-db',
    command: 'sh',
    // Without the last two it would look up this machine's own name, which not every container can.
    args: [program.install, ...commonArgs(program), ...installArgs, `--datadir=${data}`, '--skip-name-resolve', '--force'],
    env: program.env,
    logFile,
    signal,
  });
  await installer.succeeded({ timeoutMs: 60_000, signal });
  await rename(data, template).catch((error: NodeJS.ErrnoException) => {
    // Another run was quicker; its template is as good as ours.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  return template;
}

function commonArgs({ tree }: Program): string[] {
  return [
    '--no-defaults',
    // Not asked of anyone else: MariaDB refuses to run as root unless told to.
    ...(process.getuid?.() === 0 ? ['--user=root'] : []),
    ...(tree === undefined
      ? []
      : [`--basedir=${tree}/usr`, `--lc-messages-dir=${tree}/usr/share/mysql`, `--plugin-dir=${tree}/usr/lib/mysql/plugin`]),
    // Must be the same when a database is made and when it is opened.
    '--innodb-data-file-path=ibdata1:10M:autoextend',
    '--innodb-log-file-size=4M',
    '--loose-innodb-doublewrite=0',
    '--loose-innodb-flush-method=nosync',
  ];
}

const installArgs = ['--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-buffer-pool-size=8M'];

/** Small and quick to start. `loose` settings come and go with versions. With flush-log-at-trx-commit=0 a kill would lose acknowledged orders. */
const serverArgs = [
  '--bind-address=127.0.0.1',
  '--skip-name-resolve',
  '--skip-log-bin',
  '--innodb-buffer-pool-size=64M',
  '--innodb-flush-log-at-trx-commit=2',
  '--loose-performance-schema=OFF',
  '--loose-innodb-fast-shutdown=2',
  '--loose-innodb-buffer-pool-load-at-startup=0',
  '--loose-innodb-buffer-pool-dump-at-shutdown=0',
  '--loose-innodb-use-native-aio=0',
  '--aria-pagecache-buffer-size=8M',
  '--key-buffer-size=1M',
  '--max-connections=500',
  '--table-open-cache=400',
];
