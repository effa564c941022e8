import { abortWhen, cut, errors, pause, phase, scenario, steady, stock } from '../../../harness/index.ts';

const load = steady('30/s');

/** Nobody can buy anything, for much longer than the scenario may hurt. */
export default scenario('goes too far', {
  story: 'The stock is away, and that is more than this scenario may do.',
  mall: {},
  shoppers: { browse: 0, view: 0, checkout: 1 },
  timeline: [
    phase('calm', { lasts: '1s', load, expect: [errors('browse').below('50%')] }),
    phase('too far', {
      lasts: '60s',
      load,
      faults: [cut('orders->inventory'), pause('user')],
      expect: [errors('browse').below('50%')],
    }),
    phase('never', { lasts: '60s', load, expect: [errors('browse').below('50%')] }),
  ],
  always: [stock.neverOversold()],
  stopConditions: [abortWhen('checkout', { errorsAbove: '30%', for: '2s' })],
});
