import { capacity, errors, latency } from '../harness/index.ts';

export default capacity('capacity', {
  story: 'How many shoppers a second can the mall serve before those who buy have to wait or are turned away?',
  mall: { replicas: { gateway: 2, payment: 2 } },
  shoppers: { browse: 5, view: 3, checkout: 2 },
  within: [latency('checkout').p95.below('250ms'), errors('browse').below('1%'), errors('checkout').below('1%')],
  from: '40/s',
  upTo: '2000/s',
  lasts: '8s',
  precision: '5%',
});
