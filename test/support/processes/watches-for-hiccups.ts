// Says when both of its canaries have told something, and once it hears something, asks them for the rest and prints the rows of their ledger.
import { once } from 'node:events';
import { runClock, waitUntil } from '../../../core/time.ts';
import { startHiccups } from '../../../harness/drivers/ground/hiccups.ts';
import { createLedgerReader } from '../../../harness/drivers/ledger/ledger.ts';

const { epochOffsetNs, nowMs } = runClock();
const reader = createLedgerReader();
const heard = new Set<number>();
const hiccups = startHiccups({
  epochOffsetNs,
  threads: 2,
  onLedger: (canary, message, giveBack) => {
    reader.accept(canary, message, giveBack);
    heard.add(canary);
  },
});
hiccups.begin(nowMs());
await waitUntil({ timeoutMs: 30_000, describe: () => 'The canaries told nothing' }, () => heard.size === 2);
console.log('watching');
await once(process.stdin, 'data');
await hiccups.flush();
console.log(JSON.stringify(reader.rows().map(({ window, total, max }) => ({ window, total, max }))));
process.stdin.destroy();
