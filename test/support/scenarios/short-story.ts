import { breaker, errors, latency, orders, phase, scenario, slow, steady, stock, traces } from '../../../harness/index.ts';

/** The whole chain in a few seconds, at a rate that any machine can do. */
export default scenario('short story', {
  story: 'A few shoppers come while one wire is a little slow.',
  mall: { stock: { 'sku-1': 30 } },
  shoppers: { browse: 1, view: 1, checkout: 3, wanted: { product: 'sku-1', share: 0.3 } },
  timeline: [
    phase('calm', { lasts: '2s', load: steady('20/s'), expect: [errors('browse').below('20%'), latency('browse').p50.below('5s')] }),
    phase('slow', {
      lasts: '3s',
      load: steady('20/s'),
      faults: [slow('orders->inventory', { by: '250ms' })],
      expect: [latency('browse').p50.below('5s'), breaker('orders->payment').stays('closed')],
    }),
  ],
  always: [
    stock.neverOversold(),
    orders.neverLost(),
    orders.chargedOnce(),
    orders.settled(),
    traces('checkout').passThrough('gateway', 'orders', 'inventory'),
    traces('checkout').complete('99%'),
  ],
});
