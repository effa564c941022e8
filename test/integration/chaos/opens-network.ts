// Opens a network on the server that its first argument names, with its second as the upstream, tells an address of it, and never closes it.
import { openNetwork } from '../../../chaos/network.ts';

const [controlUrl = '', upstream = ''] = process.argv.slice(2);
const network = await openNetwork({
  controlUrl,
  wires: [
    { name: 'orders->inventory.1', edge: 'orders->inventory', replica: 1, upstream },
    { name: 'orders->mysql', edge: 'orders->mysql', upstream },
  ],
  signal: new AbortController().signal,
});
// Lives as long as its parent.
process.once('disconnect', () => process.exit());
process.send?.(network.addressOf('orders->mysql'));
