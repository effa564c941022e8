import { serve } from './serve.ts';

serve(({ number }, answer) => {
  if (number % 50 !== 0) answer();
});
