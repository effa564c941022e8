import { serve } from './serve.ts';

serve((_asked, answer) => answer());
