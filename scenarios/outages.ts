import {
  abortWhen,
  amplification,
  blackHole,
  breaker,
  cut,
  errors,
  kill,
  latency,
  orders,
  pause,
  phase,
  recovery,
  reset,
  restart,
  scenario,
  steady,
  stock,
} from '../harness/index.ts';

const load = steady('0.3x');

export default scenario('outages', {
  story:
    'A cache goes away, a replica is partitioned, processes are killed, stand still and are deployed: the mall must come back from each.',
  mall: {
    replicas: { gateway: 2, inventory: 2, payment: 2 },
    // With go-zero's cache nobody can look at anything while Redis is away, and not for half a minute after: `--tune mall.cache.withoutRedis=fails`.
    tuning: { mall: { cache: { withoutRedis: 'loads' } } },
  },
  shoppers: { browse: 5, view: 3, checkout: 2 },

  timeline: [
    phase('before', {
      lasts: '15s',
      load,
      expect: [latency('checkout').p95.below('250ms'), errors('checkout').below('1%')],
      otherwise: 'stop',
    }),

    phase('cache', {
      lasts: '15s',
      load,
      faults: [cut('product->redis', { from: '1s', lasts: '5s' })],
      expect: [errors('browse').below('2%'), recovery('gateway->product').happens({ within: '5s' })],
    }),

    phase('partition', {
      lasts: '15s',
      load,
      faults: [blackHole('orders->inventory', { replica: 2, from: '1s', lasts: '5s' })],
      expect: [
        errors('browse').below('1%'),
        amplification('orders->inventory').below(1.3),
        recovery('orders->inventory').happens({ within: '8s' }),
      ],
    }),

    phase('database', {
      lasts: '15s',
      load,
      faults: [reset('orders->mysql', { from: '1s', lasts: '1s' })],
      expect: [errors('browse').below('1%'), recovery('orders->mysql').happens({ within: '8s' })],
    }),

    phase('processes', {
      lasts: '30s',
      load,
      faults: [
        kill('payment', { replica: 1, from: '1s', lasts: '3s' }),
        pause('inventory', { replica: 1, from: '6s', lasts: '2s' }),
        restart('orders', { from: '10s' }),
      ],
      expect: [errors('browse').below('1%'), recovery('gateway->orders').happens({ within: '15s' })],
    }),

    phase('after', {
      lasts: '15s',
      load,
      expect: [
        errors('checkout').below('2%'),
        latency('checkout').p95.within(3, 'before'),
        breaker('orders->payment').stays('closed'),
        breaker('orders->inventory').stays('closed'),
      ],
    }),
  ],

  always: [stock.neverOversold(), orders.neverLost(), orders.chargedOnce(), orders.settled()],

  stopConditions: [abortWhen('browse', { errorsAbove: '90%', for: '10s' })],
});
