import { serve } from './serve.ts';

// Gives whoever lists its products a session, and says 409 to those who come back with that of somebody else, 401 to those who come with none.
const visitorOf = new Map<string, string>();

serve(({ method, path, headers }, answer, response) => {
  const visitor = String(headers['x-visitor']);
  const session = /(?:^|; )session=(\d+)/.exec(headers.cookie ?? '')?.[1];
  if (method === 'GET' && path === '/products') {
    const given = String(visitorOf.size + 1);
    visitorOf.set(given, visitor);
    response.setHeader('set-cookie', [`session=${given}; Path=/; HttpOnly`, 'theme=dark; Max-Age=600']);
    answer();
  } else if (session === undefined) answer(401);
  else answer(visitorOf.get(session) === visitor && headers.cookie?.includes('theme=dark') ? 201 : 409);
});
