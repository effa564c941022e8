import { serve } from './serve.ts';

serve(() => {
  // Whoever asks waits until they give up.
});
