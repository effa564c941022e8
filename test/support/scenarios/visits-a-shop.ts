import { get, phase, post, scenario, steady, uniformly, vocabulary } from '../../../harness/index.ts';

const { journey, latency, errors } = vocabulary('list', 'buy');

/** A target of its own: whoever runs this says where in SHOP. */
export default scenario('visits a shop', {
  story: 'Somebody looks at the products of a small shop, thinks, and buys.',
  target: { http: process.env.SHOP ?? 'http://127.0.0.1:1' },
  journey: journey(async ({ step, think, random, number }) => {
    const headers = { 'x-visitor': String(number) };
    await step('list', get('/products', { headers }), { accepts: ({ json }) => (json() as { code: number }).code === 0 });
    await think('50ms', '150ms');
    await step('buy', post('/orders', { sku: `sku-${number * 1_000 + Math.floor(random() * 1_000)}` }, { headers }), {
      accepts: ({ status }) => status === 201,
    });
  }),
  timeline: [
    phase('calm', {
      lasts: '1s',
      load: uniformly(steady('60/s')),
      expect: [latency('list').p50.below('5s'), latency('buy').p50.below('5s'), errors('buy').below('1%')],
    }),
  ],
  always: [errors('list').below('1%')],
});
