import { call, phase, scenario, steady, uniformly, vocabulary } from '../../../harness/index.ts';

const { journey, latency, errors } = vocabulary('place', 'amend');

/** The same over gRPC: whoever runs this says where in SHOP. */
export default scenario('calls a shop', {
  story: 'Somebody orders, and wants something else then that the shop does not do.',
  target: { grpc: process.env.SHOP ?? '127.0.0.1:1', proto: '../servers/shop.proto' },
  journey: journey(async ({ step, number }) => {
    const order = { id: number, items: [{ sku: 'a-1', quantity: 1 }] };
    await step('place', call('shop.Orders/Place', order), { accepts: ({ message }) => (message as { id: number }).id === number });
    await step('amend', call('shop.Orders/Amend', order));
  }),
  timeline: [
    phase('calm', {
      lasts: '1s',
      load: uniformly(steady('60/s')),
      expect: [latency('place').p50.below('5s'), errors('place').below('1%')],
    }),
  ],
});
