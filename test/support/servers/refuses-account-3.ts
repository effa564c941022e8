import { serve } from './serve.ts';

serve(({ body }, answer) => (body.includes('"password-3"') ? answer(401, { code: 2003 }) : answer()));
