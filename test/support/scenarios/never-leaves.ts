import { get, phase, scenario, steady, vocabulary } from '../../../harness/index.ts';

const { journey, errors } = vocabulary('list');

/** Whoever comes looks at the same list again and again, for ever; a thought that nobody waits for goes on meanwhile. */
export default scenario('never leaves', {
  story: 'Somebody cannot stop looking at the products of a small shop.',
  target: { http: process.env.SHOP ?? 'http://127.0.0.1:1' },
  journey: journey(async ({ step, think }) => {
    for (;;) {
      const thought = think('10ms');
      await step('list', get('/api/v1/products'));
      await thought;
    }
  }),
  timeline: [phase('calm', { lasts: '10m', load: steady('60/s'), expect: [errors('list').below('1%')] })],
});
