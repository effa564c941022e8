import { serve } from './serve.ts';

serve(({ number }, answer, { socket }) => {
  if (number % 50 === 0) socket?.end();
  else answer();
});
