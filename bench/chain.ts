import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { startOtlpReceiver } from '../harness/observe/otlp.ts';
import type { Answer, Order, Peer } from './chain-peer.ts';
import { type Bench, type Figure, median } from './figure.ts';

/**
 * What our chains cost a process for each call: grpc-js alone beside the same with a chain around it, in turns. A process is measured by the CPU
 * it used, so the load and its neighbours do not count; who is not measured is grpc-js alone.
 */
export const bench: Bench = {
  about: 'CPU per unary call, grpc-js alone and with our chain, in turns of one run',
  async measure(say) {
    await using undo = new AsyncDisposableStack();
    const receiver = await startOtlpReceiver({ epochMs: Date.now(), store: { add: () => {} } });
    undo.defer(receiver.close);
    const start = (peer: Peer['peer']) => startPeer({ peer, otlp: receiver.address }, undo);
    const servers = { bare: await start('bare'), untraced: await start('untraced'), traced: await start('traced') };
    const clients = { bare: await start('bare'), untraced: await start('untraced'), traced: await start('traced') };

    const seen = { server: emptyRounds(), client: emptyRounds() };
    for (let round = 1 - warmingRounds; round <= measuredRounds; round += 1) {
      for (const kind of kinds) {
        const server = await costOf(servers[kind], { caller: clients.bare, callee: servers[kind] });
        const client = await costOf(clients[kind], { caller: clients[kind], callee: servers.bare });
        say(`round ${round}, ${kind}: server ${server.toFixed(1)} µs, client ${client.toFixed(1)} µs`);
        if (round < 1) continue;
        seen.server[kind].push(server);
        seen.client[kind].push(client);
      }
    }
    return [...figures('server', seen.server), ...figures('client', seen.client)];
  },
};

const kinds = ['bare', 'untraced', 'traced'] as const;
type Rounds = Record<(typeof kinds)[number], number[]>;
const emptyRounds = (): Rounds => ({ bare: [], untraced: [], traced: [] });
/** Before them V8 is still compiling. */
const warmingRounds = 3;
const measuredRounds = 15;
const callsPerRound = 6_000;

function figures(side: 'server' | 'client', rounds: Rounds): Figure[] {
  // A round is compared with the bare one of the same round: what disturbs the machine for longer disturbs both.
  const added = (kind: 'untraced' | 'traced') => median(rounds[kind].map((cost, index) => cost - (rounds.bare[index] ?? Number.NaN)));
  const goal = side === 'server' ? { goal: { atMost: 15 } } : {};
  return [
    { name: `${side}, grpc-js alone`, unit: 'µs/call', ...median(rounds.bare) },
    { name: `${side}, with our chain`, unit: 'µs/call', ...median(rounds.untraced) },
    { name: `${side}, with our chain and tracing`, unit: 'µs/call', ...median(rounds.traced) },
    { name: `${side} chain adds`, unit: 'µs/call', ...goal, ...added('untraced') },
    { name: `${side} chain and tracing add`, unit: 'µs/call', ...added('traced') },
  ];
}

type Started = { address: string; ask(order: Order): Promise<Answer> };

/** Microseconds of CPU that `measured`, which is one of the two, used for each call. */
async function costOf(measured: Started, { caller, callee }: { caller: Started; callee: Started }): Promise<number> {
  const before = await measured.ask({ order: 'cpu' });
  await caller.ask({ order: 'call', address: callee.address, count: callsPerRound });
  const after = await measured.ask({ order: 'cpu' });
  return (after.cpuUs - before.cpuUs) / callsPerRound;
}

async function startPeer(peer: Peer, undo: AsyncDisposableStack): Promise<Started> {
  const child = fork(new URL('./chain-peer.ts', import.meta.url), [JSON.stringify(peer)]);
  undo.defer(async () => {
    const exit = once(child, 'exit');
    if (child.kill()) await exit;
  });
  const { address } = await nextFrom(child);
  return {
    address,
    ask(order) {
      const answer = nextFrom(child);
      child.send(order);
      return answer;
    },
  };
}

function nextFrom(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`Expected the measured process to answer, it ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (answer: Answer) => {
      child.off('exit', onExit);
      resolve(answer);
    });
  });
}
