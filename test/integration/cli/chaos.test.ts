import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEmbedded } from '../../../chaos/embedded/start.ts';
import { openNetwork } from '../../../chaos/network.ts';
import { waitUntil } from '../../../core/time.ts';
import { readRecord } from '../../../harness/record.ts';
import { root, startCli } from '../../support/cli.ts';
import { expectNothingMissed } from '../../support/verdicts.ts';

const { signal } = new AbortController();
let runs: string;
let undo: AsyncDisposableStack;
beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), 'stampede-runs-'));
  undo = new AsyncDisposableStack();
  undo.defer(async () => rmSync(runs, { recursive: true, force: true }));
});
afterEach(() => undo.disposeAsync());

test('every fault of a run is felt and goes again, what was killed comes back, and a Toxiproxy of the user’s own is left as it was', async () => {
  const { controlUrl, proxies } = await ownToxiproxy();
  await fetch(`${controlUrl}/proxies`, { method: 'POST', body: '{"name":"somebody","listen":"127.0.0.1:0","upstream":"127.0.0.1:1"}' });
  const cli = startRun('breaks-things', ['--seed', '7'], { STAMPEDE_TOXIPROXY_URL: controlUrl });
  await cli.printed('timeline');
  expect((await proxies()).filter((name) => name.endsWith(':orders->payment.1'))).toHaveLength(1);
  const code = await cli.exited;
  expect(cli.remains()).toEqual({ processes: [], files: [] });
  expect(await proxies()).toEqual(['somebody']);
  expect(readdirSync(join(runs, readdirSync(runs)[0] ?? '', 'logs'))).not.toContain('toxiproxy.log');

  const record = await recordIn(runs);
  expectNothingMissed({ code, record, output: cli.output() });
  expect(record.faults.map(({ sentence }) => sentence).toSorted()).toEqual([
    'inventory, replica 1 only: stands still',
    'orders->inventory: slowed by 400ms',
    'orders->mysql: reset',
    'orders->payment, replica 2 only: nothing passes',
    'orders: restarted',
    'payment, replica 1 only: killed',
    'user->redis: cut',
    'user->redis: cut',
    'user->redis: cut',
  ]);
  for (const { sentence, askedMs, fromMs, untilMs, places, effects } of record.faults) {
    expect(askedMs, sentence).toBeLessThanOrEqual(fromMs);
    expect(fromMs, sentence).toBeLessThanOrEqual(untilMs);
    expect(effects.map(({ place }) => place)).toEqual(places);
    for (const effect of effects)
      expect(effect, sentence).toMatchObject({ felt: { atMs: expect.any(Number) }, goneAtMs: expect.any(Number) });
  }
  expect(record.deaths).toEqual([]);
  expect(record.aborted).toBeUndefined();
});

test('a run that goes too far undoes its faults at once, ends, and proves nothing', async () => {
  const cli = startRun('goes-too-far');
  expect(await cli.exited, cli.output()).toBe(2);
  expect(cli.remains()).toEqual({ processes: [], files: [] });

  const record = await recordIn(runs);
  const why = 'more than 30% of checkout requests fail for 2s';
  expect(record.aborted).toEqual({ atMs: expect.any(Number), why });
  expect(record.why).toBe(`The run was aborted and all faults undone: ${why}`);
  expect(record.phases.map(({ name }) => name)).toEqual(['calm', 'too far']);
  const abortedMs = record.aborted?.atMs ?? 0;
  expect(record.phases.at(-1)?.untilMs).toBe(abortedMs);
  expect(record.faults).toHaveLength(2);
  // They would have lasted for another minute.
  for (const { untilMs } of record.faults) expect(untilMs - abortedMs).toBeLessThan(20_000);
  // What had been judged before stays, what was not played to its end is not judged.
  expect(record.verdicts.map(({ phase }) => phase)).toEqual(['calm']);
});

test('Ctrl-C with a process that is killed leaves nothing behind', async () => {
  const cli = startRun('breaks-things', [], { CI: '1' });
  await cli.printed('payment, replica 1 only: killed');
  cli.kill('SIGINT');
  expect(await cli.exited, cli.output()).toBe(130);
  await nothingRemainsOf(cli);
  expect(readdirSync(runs)).toEqual([]);
});

// The second one lets go of everything at once: its watchdog must see to the rest.
test('Ctrl-C pressed twice with a process that stands still leaves nothing behind', async () => {
  const cli = startRun('goes-too-far', [], { CI: '1' });
  await cli.printed('stands still');
  cli.kill('SIGINT');
  // Two at once would be one.
  await cli.printed('Stopping');
  cli.kill('SIGINT');
  expect(await cli.exited, cli.output()).toBe(130);
  await nothingRemainsOf(cli);
});

test('what a killed run leaves on such a server is taken away by the next', async () => {
  const { controlUrl, proxies } = await ownToxiproxy();
  const cli = startRun('breaks-things', [], { STAMPEDE_TOXIPROXY_URL: controlUrl });
  await cli.printed('timeline');
  cli.kill('SIGKILL');
  expect(await cli.exited).toBe('SIGKILL');
  await nothingRemainsOf(cli);
  expect(readdirSync(runs)).toHaveLength(1);
  expect((await proxies()).length).toBeGreaterThan(10);
  await (await openNetwork({ controlUrl, wires: [], signal })).close();
  expect(await proxies()).toEqual([]);
});

test.each([
  ['http://192.168.7.7:8474', 'Toxiproxy must be on this machine (127.0.0.1, ::1 or localhost) unless STAMPEDE_TOXIPROXY_REMOTE=yes'],
  ['http://127.0.0.1:1', 'Toxiproxy at http://127.0.0.1:1 did not answer GET /proxies'],
  ['nonsense', "Expected STAMPEDE_TOXIPROXY_URL to be an address such as http://127.0.0.1:8474, got 'nonsense'"],
])('a Toxiproxy at %s is refused in one sentence', async (url, sentence) => {
  const cli = startRun('breaks-things', [], { STAMPEDE_TOXIPROXY_URL: url });
  expect(await cli.exited, cli.output()).toBe(3);
  expect(cli.output()).toContain(sentence);
  expect(cli.output()).not.toMatch(/\n\s+at /);
  await nothingRemainsOf(cli);
});

test('a run whose embedded Toxiproxy dies ends there and proves nothing', async () => {
  const cli = startRun('breaks-things');
  await cli.printed('timeline');
  process.kill(pidOf('chaos/embedded/main.ts', cli.pid), 'SIGKILL');
  expect(await cli.exited, cli.output()).toBe(2);
  await nothingRemainsOf(cli);
  const record = await recordIn(runs);
  expect(record.deaths).toContainEqual(expect.objectContaining({ instance: 'Toxiproxy', how: 'SIGKILL' }));
  expect(record.aborted?.why).toBe('Toxiproxy, through which all calls go, died (SIGKILL)');
});

function startRun(story: string, options: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const cli = startCli(['run', join(root, `test/support/scenarios/${story}.ts`), '--runs', runs, ...options], env);
  undo.defer(async () => cli.clean());
  return cli;
}

async function recordIn(folder: string) {
  return await readRecord(join(folder, readdirSync(folder)[0] ?? ''));
}

async function ownToxiproxy() {
  const { controlUrl, close } = await startEmbedded({ signal });
  undo.defer(close);
  const proxies = async () => Object.keys((await (await fetch(`${controlUrl}/proxies`)).json()) as object);
  return { controlUrl, proxies };
}

async function nothingRemainsOf(cli: ReturnType<typeof startCli>) {
  const describe = () => `Left behind: ${JSON.stringify(cli.remains())}\n${cli.output()}`;
  await waitUntil({ timeoutMs: 5_000, describe }, () => cli.remains().processes.length === 0 && cli.remains().files.length === 0);
}

/** The child of a process that runs this program. */
function pidOf(program: string, parent: number): number {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').map(Number);
  return children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(program)) ?? 0;
}
