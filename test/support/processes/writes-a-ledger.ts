import { parentPort, workerData } from 'node:worker_threads';
import { counter, createLedgerWriter, measure } from '../../../harness/drivers/ledger/ledger.ts';

/** A thread that writes a ledger: in window w, the times 0, 1 … µs, each under the outcome that its number says; one window behind is sealed. */
const { windows, perWindow, outcomes } = workerData as { windows: number; perWindow: number; outcomes: number };
if (parentPort === null) throw new Error('Expected to be a worker thread');
const owner = parentPort;
let underway = 0;
const writer = createLedgerWriter({
  routes: 1,
  outcomes,
  post: (message) => {
    if (message.kind === 'sealed') underway += message.slots.length;
    owner.postMessage(message);
  },
});
owner.on('message', (slots: readonly number[]) => {
  underway -= slots.length;
  writer.released(slots);
});

for (let window = 0; window < windows; window++) {
  for (let us = 0; us < perWindow; us++) {
    // Every tenth belongs to the window before.
    writer.record(us % 10 === 0 && window > 0 ? window - 1 : window, measure.response, 0, us % outcomes, us);
    writer.count(window, counter.sent);
  }
  writer.sealBefore(window);
  // A second goes by in no time here: the reader may take its own.
  do await new Promise((resolve) => setImmediate(resolve));
  while (underway > 32);
}
writer.sealAll();
owner.unref();
