import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { requestOutcomes } from '../record.ts';
import { createHttpTransport } from './http/transport.ts';
import { createLedgerWriter } from './ledger/ledger.ts';
import { createLiveCounts } from './live.ts';
import { createVisits } from './visits.ts';

/**
 * Runs the code of visits hot before the first visitor comes: thousands of them ask a server that lives in this thread for the purpose. Cold code
 * would send the first visitors of a run late, open connections by the hundred to catch up, and be taken for the target's doing.
 */
export async function rehearse({ now }: { now: () => number }): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', () => socket.write(answer)).on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const transport = createHttpTransport({ timeoutMs: 1_000, now });
  const request = { origin: `http://127.0.0.1:${port}`, method: 'GET', path: '/', readsBody: false } as const;
  const visit = createVisits({
    source: {
      steps: ['rehearse'],
      visit: async ({ step }) => {
        await step('rehearse', request);
      },
      sender: () => (_ask, _traceparent, onReply) => transport.send(request, onReply),
      outcomeOf: () => 'ok',
      connections: transport.connections,
      collected: () => undefined,
    },
    ledger: createLedgerWriter({ routes: 1, outcomes: requestOutcomes.length, post: () => undefined }),
    watcher: { ...createLiveCounts(), stumbled: () => undefined },
    windowOf: () => 0,
    now,
    seed: 1,
    signal: new AbortController().signal,
  });

  const endMs = now() + longestMs;
  let number = 0;
  await new Promise<void>((resolve) => {
    let underWay = 0;
    const next = () => {
      underWay -= 1;
      if (number < mostVisits && now() < endMs) come();
      else if (underWay === 0) resolve();
    };
    const come = () => {
      underWay += 1;
      visit({ number: number++, phase: 0, intendedMs: now() }, next);
    };
    for (let index = 0; index < atOnce; index++) come();
  });
  await transport.close();
  server.close();
}

const answer = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok';
const mostVisits = 20_000;
const atOnce = 32;
const longestMs = 600;
