import { get, phase, scenario, steady, vocabulary } from '../../../harness/index.ts';

const { journey, errors } = vocabulary('list', 'buy');

/** Whoever comes has made up their mind only when everybody has gone home. */
export default scenario('thinks for minutes', {
  story: 'Somebody looks at the products of a small shop, and cannot decide.',
  target: { http: process.env.SHOP ?? 'http://127.0.0.1:1' },
  journey: journey(async ({ step, think }) => {
    await step('list', get('/products'));
    await think('5m', '10m');
    await step('buy', get('/orders'));
  }),
  timeline: [phase('calm', { lasts: '10m', load: steady('60/s'), expect: [errors('list').below('1%')] })],
});
