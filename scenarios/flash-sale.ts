import { balance, breaker, errors, latency, orders, phase, scenario, shedding, slow, steady, stock, traces } from '../harness/index.ts';

export default scenario('flash sale', {
  story: 'More shoppers than the mall can serve want one product, while the payment provider and one inventory replica grow slow.',
  mall: {
    replicas: { gateway: 2, inventory: 3, payment: 2 },
    stock: { 'sku-1': 500 },
    tuning: {
      // The breaker that has to open is the one in front of what is slow, not those of its callers.
      mall: { breaker: { judges: 'cause' } },
      // A rush of half a minute is half over when go-zero's smoothing has noticed it, and on two cores that a dozen processes share no thread gets
      // much above 0.9.
      gateway: { shedding: { cpuMemory: 0.8, cpuThresholdMilli: 850 } },
    },
  },
  shoppers: { browse: 5, view: 3, checkout: 2, wanted: { product: 'sku-1', share: 0.3 } },

  timeline: [
    phase('before', {
      lasts: '15s',
      load: steady('0.4x'),
      expect: [latency('checkout').p95.below('250ms'), errors('checkout').below('1%'), breaker('orders->payment').stays('closed')],
      otherwise: 'stop',
    }),

    phase('rush', {
      lasts: '30s',
      load: steady('2.5x'),
      faults: [slow('orders->payment', { by: '1s' }), slow('orders->inventory', { replica: 2, by: '300ms' })],
      expect: [
        breaker('orders->payment').opens({ within: '15s' }),
        shedding('gateway').between('0.5%', '90%'),
        balance('orders->inventory').avoids(2, { below: '20%' }),
      ],
    }),

    phase('after', {
      lasts: '30s',
      load: steady('0.4x'),
      expect: [
        breaker('orders->payment').closes({ within: '20s' }),
        shedding('gateway').stops({ within: '5s' }),
        errors('checkout').below('5%', { from: '20s' }),
        latency('checkout').p95.within(5, 'before', { from: '12s' }),
      ],
    }),
  ],

  always: [
    stock.neverOversold(),
    orders.neverLost(),
    orders.chargedOnce(),
    orders.settled(),
    traces('checkout').passThrough('gateway', 'orders', 'inventory'),
    traces('checkout').passThrough('gateway', 'orders', 'payment'),
    traces('checkout').complete('99%'),
  ],
});
