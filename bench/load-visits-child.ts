import { createHttpTransport } from '../harness/drivers/http/transport.ts';
import { createLedgerReader, createLedgerWriter } from '../harness/drivers/ledger/ledger.ts';
import { createLiveCounts } from '../harness/drivers/live.ts';
import { createVisits } from '../harness/drivers/visits.ts';
import { requestOutcomes } from '../harness/record.ts';

export type VisitsOrder = { url: string; lastsMs: number; connections: number; timeoutMs: number };

/** Visits back to back, with all that is written down of each; prints how many were answered. */
const { url, lastsMs, connections, timeoutMs } = JSON.parse(process.argv[2] ?? '') as VisitsOrder;
const { origin, pathname } = new URL(url);
const now = () => performance.now();
const transport = createHttpTransport({ timeoutMs, now });
const request = { origin, method: 'GET', path: pathname, readsBody: false } as const;
const reader = createLedgerReader();
const ledger = createLedgerWriter({
  routes: 1,
  outcomes: requestOutcomes.length,
  post: (message) => reader.accept(0, message, (slots) => ledger.released(slots)),
});
const startMs = now();
const second = (ms: number) => Math.floor((ms - startMs) / 1_000);
const visit = createVisits({
  source: {
    steps: ['get'],
    visit: async ({ step }) => {
      await step('get', request);
    },
    sender: () => (_ask, _traceparent, onReply) => transport.send(request, onReply),
    outcomeOf: ({ kind }) => (kind === 'answered' ? 'ok' : 'failed'),
    connections: transport.connections,
    collected: () => undefined,
  },
  ledger,
  watcher: { ...createLiveCounts(), stumbled: () => undefined },
  windowOf: second,
  now,
  seed: 1,
  signal: new AbortController().signal,
});

let number = 0;
let underWay = 0;
const sealing = setInterval(() => ledger.sealBefore(second(now()) - 1), 1_000);
await new Promise<void>((resolve) => {
  const next = () => {
    underWay -= 1;
    if (now() < startMs + lastsMs) come();
    else if (underWay === 0) resolve();
  };
  const come = () => {
    underWay += 1;
    visit({ number: number++, phase: 0, intendedMs: now() }, next);
  };
  for (let index = 0; index < connections; index++) come();
});
clearInterval(sealing);
ledger.sealAll();
await transport.close();
const okay = requestOutcomes.indexOf('ok');
console.log(reader.rows().reduce((sum, row) => (row.measure === 0 && row.outcome === okay ? sum + row.total : sum), 0));
