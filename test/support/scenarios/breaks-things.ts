import {
  abortWhen,
  blackHole,
  cut,
  errors,
  kill,
  orders,
  pause,
  phase,
  reset,
  restart,
  scenario,
  slow,
  steady,
  stock,
} from '../../../harness/index.ts';

const load = steady('30/s');

/** Faults of the network and of processes, each for a moment. */
export default scenario('breaks things', {
  story: 'One thing after another breaks, and comes back.',
  mall: { replicas: { payment: 2 }, stock: { 'sku-1': 30 } },
  shoppers: { browse: 1, view: 1, checkout: 2 },
  timeline: [
    phase('calm', { lasts: '2s', load, expect: [errors('browse').below('50%')] }),
    phase('network', {
      lasts: '5s',
      load,
      faults: [
        slow('orders->payment', { by: '200ms', lasts: '2s' }),
        blackHole('orders->inventory', { replica: 2, lasts: '1s' }),
        cut('user->redis', { lasts: '1s', every: '2s' }),
        reset('orders->mysql', { from: '3s', lasts: '1s' }),
      ],
      expect: [errors('browse').below('90%')],
    }),
    phase('processes', {
      lasts: '5s',
      load,
      faults: [
        kill('payment', { replica: 1, lasts: '1s' }),
        pause('inventory', { replica: 1, lasts: '1s' }),
        restart('orders', { from: '2s' }),
      ],
      expect: [errors('browse').below('90%')],
    }),
    phase('after', { lasts: '4s', load, expect: [errors('browse').below('50%')] }),
  ],
  always: [stock.neverOversold(), orders.neverLost(), orders.chargedOnce(), orders.settled()],
  stopConditions: [abortWhen('browse', { errorsAbove: '99%', for: '10s' })],
});
