import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';

// The real script in a clone in small, with a program in npm's place, so that no test needs the registry.
let clone: string;

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'stampede-test-'));
  put('package.json', '{}');
  put('package-lock.json', lock('1.0.0'));
  put('system/contracts/user.proto', 'syntax = "proto3";');
  put(
    'system/contracts/generate.mjs',
    "import { mkdirSync } from 'node:fs'; mkdirSync(new URL('gen', import.meta.url), { recursive: true });",
  );
  put(
    'npm.js',
    `const { appendFileSync, cpSync, mkdirSync } = require('node:fs');
     appendFileSync('npm.log', process.argv.slice(2).join(' ') + '\\n');
     mkdirSync('node_modules', { recursive: true });
     cpSync('package-lock.json', 'node_modules/.package-lock.json');`,
  );
  mkdirSync(join(clone, 'compose'));
  cpSync(join(import.meta.dirname, '../../../compose/setup.mjs'), join(clone, 'compose/setup.mjs'));
});
afterEach(() => rmSync(clone, { recursive: true }));

test('a fresh clone is set up with a line before and a line after, and the next start says and does nothing', async () => {
  const first = await setUp();
  expect(first).toMatchObject({ code: 0, errors: '' });
  expect(first.output).toMatch(
    /^Installing dependencies and the pinned Node runtime into node_modules \(npm ci\) …\nInstalled in [\d.]+ s\nGenerated the types of the contracts in [\d.]+ s\n$/,
  );
  expect(readFileSync(join(clone, 'npm.log'), 'utf8')).toMatch(/^ci .*\n$/);
  expect(await setUp()).toEqual({ code: 0, output: '', errors: '' });
});

test('a changed lock file installs again, and a changed contract only generates again', async () => {
  await setUp();
  put('package-lock.json', lock('1.0.1'));
  expect((await setUp()).output).toMatch(/^Installing .*\nInstalled .*\n$/);
  put('system/contracts/user.proto', 'syntax = "proto3"; message User {}');
  expect((await setUp()).output).toMatch(/^Generated .*\n$/);
});

test('packages for other platforms need not be there', async () => {
  put('npm.js', readFileSync(join(clone, 'npm.js'), 'utf8').replace("'package-lock.json'", "'installed.json'"));
  put('installed.json', lock('1.0.0').replace('"node_modules/for-windows"', '"node_modules/other"'));
  expect((await setUp()).code).toBe(0);
  expect((await setUp()).output).toBe('');
});

test('two starts at once in a fresh clone install once', async () => {
  const [one, other] = await Promise.all([setUp(), setUp()]);
  expect([one.code, other.code]).toEqual([0, 0]);
  expect(readFileSync(join(clone, 'npm.log'), 'utf8').trim().split('\n')).toHaveLength(1);
  expect(existsSync(join(clone, '.cache/setup-lock'))).toBe(false);
});

test('the lock of a set-up that was killed is taken over', async () => {
  put(`.cache/setup-lock/${await deadPid()}`, '');
  expect((await setUp()).code).toBe(0);
  expect(existsSync(join(clone, '.cache/setup-lock'))).toBe(false);
});

test('of two that see the holder of the lock gone, the slower one waits for the quicker one', async () => {
  const dead = await deadPid();
  put(`.cache/setup-lock/${dead}`, '');
  const untilTold = "while (!require('node:fs').existsSync('go') && require('node:fs').existsSync('npm.log'));";
  put('npm.js', readFileSync(join(clone, 'npm.js'), 'utf8').replace("mkdirSync('node", `${untilTold} mkdirSync('node`));
  // When the slower one has found the holder dead, the quicker one starts and takes the lock before the slower one can go on.
  put(
    'slower.mjs',
    `import { spawn } from 'node:child_process';
     import { existsSync } from 'node:fs';
     const kill = process.kill;
     process.kill = (pid, signal) => {
       if (pid === ${dead} && !existsSync('npm.log')) {
         spawn(process.execPath, ['compose/setup.mjs'], { stdio: 'inherit', env: { ...process.env, NODE_OPTIONS: '' } });
         while (!existsSync('npm.log') && existsSync('npm.js'));
       }
       return kill.call(process, pid, signal);
     };`,
  );
  const { code, output } = await setUp({ NODE_OPTIONS: `--import=${join(clone, 'slower.mjs')}` }, (output) => {
    if (/Waiting|Installing.*Installing/s.test(output)) put('go', '');
  });
  expect(code).toBe(0);
  expect(output).toContain('Waiting for another set-up in this folder to finish …');
  expect(readFileSync(join(clone, 'npm.log'), 'utf8').trim().split('\n')).toHaveLength(1);
});

test.each([
  [
    'npm error code ENOTFOUND',
    'npm ci could not reach the package registry (ENOTFOUND): check the network and the proxy (`npm ping`), then try again\n',
  ],
  [
    'npm error code EUSAGE\nnpm error Missing: a@1.0.0 from lock file',
    'package.json and package-lock.json do not match (Missing: a@1.0.0 from lock file): run `npm install` once\n',
  ],
  ['npm error code ENOSPC', /^The disk is full: npm ci needs about 400 MB in .*\n$/],
  ['npm error code EACCES', /^npm ci may not write into .* \(EACCES\): make that folder yours\n$/],
  ['npm error code EX\nnpm error the moon is wrong', 'npm ci failed: the moon is wrong (run `npm ci` to see all of it)\n'],
])('%j is told in one sentence with what mends it', async (said, sentence) => {
  put('npm.js', `console.error(${JSON.stringify(said)}); process.exit(1);`);
  const { code, errors } = await setUp();
  expect(code).toBe(3);
  expect(errors).toEqual(typeof sentence === 'string' ? sentence : expect.stringMatching(sentence));
});

test('without npm, the sentence says where to get it', async () => {
  const { code, errors } = await setUp({ npm_execpath: '', PATH: clone });
  expect(code).toBe(3);
  expect(errors).toBe('npm was not found: install Node 20 or newer together with npm (https://nodejs.org)\n');
});

test('a Node that is too old, where no newer one can be installed, is told in one sentence', async () => {
  const script = join(clone, 'compose/setup.mjs');
  writeFileSync(script, readFileSync(script, 'utf8').replace('oldestNode = [24, 11]', 'oldestNode = [240, 11]'));
  const { code, errors } = await setUp();
  expect(code).toBe(3);
  expect(errors).toMatch(
    /^Expected Node 240\.11 or newer on \w+-\w+, for which none can be installed here, got v24.* \(https:\/\/nodejs\.org, or `nvm install 24`\)\n$/,
  );
});

test('a contract that cannot be generated is told in one sentence', async () => {
  put('system/contracts/generate.mjs', "throw new Error('no such message');");
  const { code, errors } = await setUp();
  expect(code).toBe(3);
  expect(errors).toMatch(
    /^The types of the contracts could not be generated: .*no such message.* \(run `npm run contracts` to see all of it\)\n$/,
  );
});

async function deadPid(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid ?? 0;
}

async function setUp(env: NodeJS.ProcessEnv = {}, onOutput: (output: string) => void = () => {}) {
  const child = spawn(process.execPath, ['compose/setup.mjs'], {
    cwd: clone,
    env: { ...process.env, npm_execpath: join(clone, 'npm.js'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let soFar = '';
  child.stdout.on('data', (chunk) => {
    soFar += String(chunk);
    onOutput(soFar);
  });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: code as number, output, errors };
}

function put(path: string, content: string) {
  mkdirSync(dirname(join(clone, path)), { recursive: true });
  writeFileSync(join(clone, path), content);
}

function lock(version: string): string {
  return JSON.stringify({
    packages: {
      '': { name: 'clone' },
      'node_modules/a': { version, integrity: `sha512-${version}` },
      'node_modules/for-windows': { version, optional: true, os: ['win32'] },
    },
  });
}
