import { serve } from './serve.ts';

// A whole-millisecond timer may ring a fraction early.
serve((_asked, answer) => {
  setTimeout(answer, 101);
});
