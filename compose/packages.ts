import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../core/errors.ts';
import { monotonic } from '../core/time.ts';
import type { Layer } from './layer.ts';
import { lastWords } from './process.ts';
import { together } from './together.ts';

type Options = { cacheFolder: string; layer: Layer; signal: AbortSignal; progress: (line: string) => void };

/**
 * A folder with MariaDB, Redis and etcd as the machine's Debian or Ubuntu packages them, unpacked without root and without installing
 * anything: apt-get runs on a state of its own and only resolves and downloads, `dpkg -x` only extracts. The folder comes into being whole or not at
 * all, whoever else unpacks at the same time, and is kept for later runs. Throws an error with apt's last words when there is no network.
 */
export async function unpackedServers(options: Options): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const tree = join(options.cacheFolder, 'servers', treeName(release, process.arch));
  const isThere = await access(tree).then(
    () => true,
    () => false,
  );
  if (!isThere) await unpackInto(tree, options);
  return tree;
}

/** What programs of an unpacked tree need to find their shared libraries. */
export async function libraryPath(tree: string): Promise<string> {
  const folders = [join(tree, 'usr/lib'), join(tree, 'lib')];
  const found = await Promise.all(folders.map(async (folder) => (await readdir(folder).catch(() => [])).map((name) => join(folder, name))));
  return found
    .flat()
    .filter((path) => /-linux-gnu[^/]*$/.test(path))
    .join(':');
}

/** `debian-12-x64`: packages of one release do not run on another. */
export function treeName(osRelease: string, arch: string): string {
  const field = (name: string) => new RegExp(`^${name}="?([\\w.-]+)"?$`, 'm').exec(osRelease)?.[1];
  return `${field('ID') ?? 'linux'}-${field('VERSION_ID') ?? field('VERSION_CODENAME') ?? 'rolling'}-${arch}`;
}

async function unpackInto(tree: string, { layer, signal, progress }: Options) {
  const startedMs = monotonic();
  progress('Fetching MariaDB, Redis and etcd as packages into .cache/servers (once; nothing is installed on this machine) …');
  await mkdir(join(tree, '..'), { recursive: true });
  const workshop = await layer.temporaryFolder(join(tree, '..'));
  try {
    const root = join(workshop, 'root');
    await mkdir(root);
    const archives = await download(workshop, { layer, signal });
    const lanes = Array.from({ length: availableParallelism() }, () => async (either: AbortSignal) => {
      for (let archive = archives.pop(); archive !== undefined; archive = archives.pop())
        await layer.run('dpkg', ['-x', archive, root], { env: process.env, signal: either });
    });
    await together(signal, lanes);
    await rename(root, tree).catch((error: NodeJS.ErrnoException) => {
      // Another run was quicker; its tree is as good as ours.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  progress(`Unpacked MariaDB, Redis and etcd in ${((monotonic() - startedMs) / 1_000).toFixed(1)} s`);
}

/** Downloads the servers and the libraries they need, as if nothing were installed, and gives the paths of the archives. */
async function download(workshop: string, { layer, signal }: Pick<Options, 'layer' | 'signal'>): Promise<string[]> {
  const pool = join(workshop, 'pool');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'pool']) await mkdir(join(workshop, folder), { recursive: true });
  await writeFile(join(workshop, 'status'), '');
  const configuration = await layer.run('apt-config', ['dump'], { env: process.env, signal });
  await writeFile(join(workshop, 'apt.conf'), privateConfiguration(configuration, workshop));
  const env = { ...process.env, APT_CONFIG: join(workshop, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const apt = (command: string, ...args: string[]) => layer.run(command, args, { env, cwd: pool, signal });

  // One broken source among the machine's own need not matter: whether the servers can be had is seen in the next step.
  const updated = await apt('sh', '-c', 'exec apt-get update -qq 2>&1').catch(messageOf);
  const wanted = packagesFor((await apt('apt-cache', 'pkgnames', 'mariadb-')).split('\n'));
  const uris = await apt('apt-get', 'install', '--no-install-recommends', '--print-uris', '-qq', ...wanted).catch((cause) => {
    throw new Error(lastWords(updated) || messageOf(cause), { cause });
  });
  await apt('apt-get', 'download', '-qq', ...packagesToUnpack(uris));
  return (await readdir(pool)).map((name) => join(pool, name));
}

/**
 * apt's configuration of this machine (its sources, proxies and keys stay in force) with a state of our own, and without the hooks
 * by which an update would touch the system.
 */
export function privateConfiguration(dump: string, folder: string): string {
  const kept = dump.split('\n').filter((line) => /^[^"]+ "[^"]*";$/.test(line) && !/-Invoke/i.test(line));
  return [
    ...kept,
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::parts "/dev/null";',
    `Dir::State::lists "${folder}/lists";`,
    `Dir::State::status "${folder}/status";`,
    `Dir::Cache "${folder}/cache";`,
    'APT::Sandbox::User "";',
    'Debug::NoLocking "1";',
    'Acquire::Languages "none";',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
    'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";',
    '',
  ].join('\n');
}

/** The packages that hold the servers' programs. Older releases carry MariaDB's version in the names of its packages. */
export function packagesFor(available: readonly string[]): string[] {
  const named = (name: string) =>
    available
      .filter((candidate) => candidate === name || new RegExp(`^${name}-\\d+\\.\\d+$`).test(candidate))
      .sort((a, b) => a.length - b.length)[0] ?? name;
  return [named('mariadb-server-core'), named('mariadb-client-core'), 'redis-server', 'etcd-server'];
}

/**
 * Out of all that apt would install, given as its `--print-uris`, the names of the packages our programs are made of. The rest is left
 * out: it serves installing only, and a second C library would not fit the machine's own loader.
 */
export function packagesToUnpack(printedUris: string): string[] {
  return [...printedUris.matchAll(/^'[^']*' ([^_\s]+)_/gm)]
    .flatMap(([, name]) => (name === undefined ? [] : [name]))
    .filter(
      (name) =>
        /^(lib|mariadb-|redis-|etcd-)/.test(name) &&
        !/^(libc6|libc-bin|libperl|libpam|libsemanage|libsepol|libaudit|libdb5|libgdbm)|-perl$/.test(name),
    );
}
