import { serve } from './serve.ts';

/** One after the other, again and again. */
const turns: [status: number, how?: { code?: number; refusedBy?: string }][] = [
  [503, { refusedBy: 'shedding' }],
  [503, { refusedBy: 'breaker' }],
  [429, { refusedBy: 'limit' }],
  [504, { refusedBy: 'deadline' }],
  [503],
  [500],
  [409, { code: 3004 }],
  [409, { code: 4003 }],
];

serve(({ number }, answer) => answer(...(turns[(number - 1) % turns.length] ?? [200])));
