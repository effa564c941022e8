// Runs before `npm run scenario`, `npm test` and the like, on whatever Node the machine has (20 is enough), so it is plain JavaScript without
// dependencies. Installs what is missing and generates the types of the contracts; says nothing and costs next to nothing when all is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const platform = `${process.platform}-${process.arch}`;
const oldestNode = [24, 11];

class SetupError extends Error {}

try {
  setUp();
} catch (error) {
  console.error(error instanceof SetupError ? error.message : `Set-up failed: ${error.message}`);
  process.exit(3);
}

function setUp() {
  if (!hasUsableNode())
    throw new SetupError(
      `Expected Node ${oldestNode.join('.')} or newer on ${platform}, for which none can be installed here, got ${process.version}: install a newer one (https://nodejs.org, or \`nvm install 24\`)`,
    );
  if (!installationIsStale() && !contractsAreStale()) return;
  const release = takeLock();
  try {
    // Looked at again, because whoever held the lock may have done it all; and contracts need the dependencies.
    if (installationIsStale()) installDependencies();
    if (contractsAreStale()) generateContracts();
  } finally {
    release();
  }
}

/** The pinned Node comes as an npm package for some platforms; on the others the machine's own must be new enough. */
function hasUsableNode() {
  return isPinned() || ownNodeIsNewEnough();
}

function isPinned() {
  return `node-${platform}` in (readJson('package.json').optionalDependencies ?? {});
}

function ownNodeIsNewEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
}

/** npm writes what it installed into node_modules as the last thing; every package of our lock file must be there in the locked version. */
function installationIsStale() {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return true;
  if (isPinned() && !existsSync(join(root, 'node_modules/.bin/node'))) return true;
  const installed = readJson('node_modules/.package-lock.json').packages;
  return Object.entries(readJson('package-lock.json').packages).some(([path, locked]) => {
    if (path === '') return false;
    // Packages for other platforms are left out.
    if (installed[path] === undefined) return locked.optional !== true;
    return installed[path].version !== locked.version || installed[path].integrity !== locked.integrity;
  });
}

function installDependencies() {
  const startedMs = performance.now();
  console.log('Installing dependencies and the pinned Node runtime into node_modules (npm ci) …');
  const [command, ...args] = npmCommand();
  // Settings that leave packages out would leave the set-up stale for ever.
  const npm = spawnSync(command, [...args, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  });
  if (npm.error?.code === 'ENOENT')
    throw new SetupError('npm was not found: install Node 20 or newer together with npm (https://nodejs.org)');
  if (npm.signal) throw new SetupError(`npm ci was ended by ${npm.signal}; the next start installs anew`);
  if (npm.status !== 0) throw new SetupError(explain(`${npm.stderr}\n${npm.stdout}`));
  if (isPinned()) checkPinnedNode();
  console.log(`Installed in ${seconds(startedMs)}`);
}

/** The npm that started this script, else the one on PATH. */
function npmCommand() {
  const own = process.env.npm_execpath;
  return own?.endsWith('.js') && existsSync(own) ? [process.execPath, own] : ['npm'];
}

/** The pinned runtime is made for glibc: it is there but does not start on Alpine, for instance. */
function checkPinnedNode() {
  const pinned = join(root, 'node_modules/.bin/node');
  const node = spawnSync(pinned, ['--version'], { encoding: 'utf8' });
  if (node.status === 0) return;
  const why = node.error?.message ?? node.stderr.trim().split('\n')[0];
  throw new SetupError(
    `Expected the pinned Node at ${pinned} to run on this machine, got: ${why}. A glibc-based Linux such as Debian or Ubuntu is needed`,
  );
}

/** What went wrong with npm, in one sentence with what mends it. */
function explain(output) {
  const unreachable = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b/.exec(output);
  if (unreachable)
    return `npm ci could not reach the package registry (${unreachable[1]}): check the network and the proxy (\`npm ping\`), then try again`;
  if (/\bEUSAGE\b/.test(output)) {
    const mismatch = /(?:Missing|Invalid): .*/.exec(output)?.[0] ?? 'npm names no package';
    return `package.json and package-lock.json do not match (${mismatch}): run \`npm install\` once`;
  }
  if (/\bENOSPC\b/.test(output)) return `The disk is full: npm ci needs about 400 MB in ${root}`;
  const denied = /\b(EACCES|EROFS|EPERM)\b/.exec(output);
  if (denied) return `npm ci may not write into ${root} (${denied[1]}): make that folder yours`;
  const telling = output.split('\n').filter((line) => /^npm (error|ERR!) /.test(line) && !/complete log|^npm \S+ code/.test(line));
  return `npm ci failed: ${telling[0]?.replace(/^npm \S+ /, '') ?? 'it gave no reason'} (run \`npm ci\` to see all of it)`;
}

/** Generated types lie beside a stamp of what they were made from. Whoever generates anew removes the stamp first, with the folder. */
function contractsAreStale() {
  const stamp = join(root, 'system/contracts/gen/.made-from');
  return !existsSync(stamp) || readFileSync(stamp, 'utf8') !== contractsHash();
}

function contractsHash() {
  const folder = join(root, 'system/contracts');
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).filter((file) => /\.(proto|mjs)$/.test(file)))
    hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  return hash.digest('hex');
}

function generateContracts() {
  const startedMs = performance.now();
  const made = spawnSync(process.execPath, [join(root, 'system/contracts/generate.mjs')], { cwd: root, encoding: 'utf8' });
  if (made.status !== 0) {
    const why =
      `${made.stderr}`.split('\n').find((line) => /error/i.test(line)) ?? made.error?.message ?? `exit ${made.status ?? made.signal}`;
    throw new SetupError(`The types of the contracts could not be generated: ${why.trim()} (run \`npm run contracts\` to see all of it)`);
  }
  writeFileSync(join(root, 'system/contracts/gen/.made-from'), contractsHash());
  console.log(`Generated the types of the contracts in ${seconds(startedMs)}`);
}

/**
 * Two starts at once in a fresh clone take turns. The lock is a folder that holds one file, named after its holder's process id. It is taken,
 * and taken over from a killed set-up, by a rename that only one can win: what was seen of the holder may be out of date by then.
 */
function takeLock() {
  const lock = join(root, '.cache/setup-lock');
  for (let hasSpoken = false; ; ) {
    const holder = holderOf(lock);
    if (holder !== undefined && isAlive(holder)) {
      if (!hasSpoken) console.log('Waiting for another set-up in this folder to finish …');
      hasSpoken = true;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    } else if (holder === undefined ? becomeFirst(lock) : takeOver(lock, holder)) return () => release(lock);
  }
}

function holderOf(lock) {
  try {
    return readdirSync(lock)[0];
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw cannotLock(lock, error);
  }
}

/** A folder can be renamed to one that is not there or empty, never to one that holds something. */
function becomeFirst(lock) {
  const mine = `${lock}-${process.pid}`;
  try {
    mkdirSync(mine, { recursive: true });
    writeFileSync(join(mine, `${process.pid}`), '');
    renameSync(mine, lock);
    return true;
  } catch (error) {
    rmSync(mine, { recursive: true, force: true });
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false;
    throw cannotLock(lock, error);
  }
}

function takeOver(lock, holder) {
  try {
    renameSync(join(lock, holder), join(lock, `${process.pid}`));
    return true;
  } catch (error) {
    // Another one was quicker.
    if (error.code === 'ENOENT') return false;
    throw cannotLock(lock, error);
  }
}

function cannotLock(lock, error) {
  return new SetupError(`The folder ${lock} cannot be made or changed (${error.code}): make ${root} yours, or free some space`);
}

function isAlive(holder) {
  try {
    process.kill(Number(holder), 0);
    return true;
  } catch (error) {
    // EPERM: alive, and somebody else's.
    return error.code !== 'ESRCH';
  }
}

function release(lock) {
  rmSync(join(lock, `${process.pid}`), { force: true });
  try {
    rmdirSync(lock);
  } catch {
    // The next one is in it already.
  }
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

function seconds(sinceMs) {
  return `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;
}
