import { serve } from './serve.ts';

let orders = 0;

serve(({ path }, answer, response) => {
  if (path !== '/api/v1/orders') return answer();
  orders += 1;
  // Every third order is a success without an order in it.
  const data = orders % 3 === 0 ? {} : { id: `order-${orders}`, status: 'PENDING' };
  response.writeHead(202).end(JSON.stringify({ code: 0, message: 'accepted', data }));
});
