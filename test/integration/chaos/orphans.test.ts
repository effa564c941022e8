import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { openNetwork } from '../../../chaos/network.ts';
import { ownPrefix } from '../../../chaos/owner.ts';
import { connectTo, describeEachServer, dialResult, roundTripMs, type Server, startUpstream } from './support.ts';

describeEachServer('orphans', (server) => {
  test('the next run takes away what a killed one left, and nothing of a run that lives or of strangers', async () => {
    const { address: upstream } = await startUpstream();
    const [killed, living] = await Promise.all([startRun(server(), upstream), startRun(server(), upstream)]);
    const strangers = ['orders->mysql', `stampede:elsewhere:${killed.child.pid}:1:orders->mysql`, `stampede:${hostname()}`];
    for (const name of strangers) await server().call('POST', '/proxies', { body: { name, listen: '127.0.0.1:0', upstream } });
    const before = await namesOn(server());
    expect(before).toHaveLength(2 + 2 + strangers.length);

    await kill(killed.child);
    // A real server knows nothing of it.
    expect(await namesOn(server())).toEqual(before);
    await roundTripMs(await connectTo(killed.address));
    const held = await connectTo(living.address);
    await roundTripMs(held);

    const network = await openNetwork({ controlUrl: server().controlUrl, wires: [], signal });
    onTestFinished(() => network.close());
    expect(await namesOn(server())).toEqual([...living.names, ...strangers].sort());
    expect(await dialResult(killed.address)).toBe('ECONNREFUSED');
    // Whoever uses the living one has not noticed.
    await roundTripMs(held);
    await roundTripMs(await connectTo(living.address));
  });

  test('a fault that a killed run left on goes with its proxy', async () => {
    const { address: upstream } = await startUpstream();
    const killed = await startRun(server(), upstream);
    const [name = ''] = killed.names;
    const { status } = await server().call('POST', `/proxies/${encodeURIComponent(name)}`, { body: { enabled: false } });
    expect(status).toBe(200);
    await kill(killed.child);
    const wires = [{ name: 'orders->mysql', edge: 'orders->mysql', upstream }] as const;
    const network = await openNetwork({ controlUrl: server().controlUrl, wires, signal });
    onTestFinished(() => network.close());
    expect(await namesOn(server())).toEqual([`${ownPrefix()}orders->mysql`]);
    await roundTripMs(await connectTo(network.addressOf('orders->mysql')));
  });
});

const signal = new AbortController().signal;

/** A run of its own process: its proxies are named after that. */
async function startRun(server: Server, upstream: string): Promise<{ child: ChildProcess; address: string; names: string[] }> {
  const child = fork(fileURLToPath(new URL('./opens-network.ts', import.meta.url)), [server.controlUrl, upstream]);
  onTestFinished(() => kill(child));
  const [address] = (await once(child, 'message')) as [string];
  const { pid = 0 } = child;
  return { child, address, names: ['orders->inventory.1', 'orders->mysql'].map((wire) => `${ownPrefix(pid)}${wire}`) };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

const namesOn = async ({ call }: Server): Promise<string[]> => Object.keys((await call('GET', '/proxies')).json as object).sort();
