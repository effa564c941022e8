/** Who calls whom: every name a scenario, a proxy or a process may use comes from here. */
export const calls = {
  // Redis only where the tuning limits a route.
  gateway: ['user', 'product', 'orders', 'redis', 'etcd', 'otlp'],
  user: ['mysql', 'redis', 'etcd', 'otlp'],
  product: ['mysql', 'redis', 'etcd', 'otlp'],
  inventory: ['mysql', 'etcd', 'otlp'],
  orders: ['user', 'product', 'inventory', 'payment', 'mysql', 'etcd', 'otlp'],
  payment: ['mysql', 'etcd', 'otlp'],
} as const;

/** What a shopper does, and the request it is. */
export const routes = {
  browse: { method: 'GET', path: '/api/v1/products' },
  view: { method: 'GET', path: '/api/v1/products/:id' },
  checkout: { method: 'POST', path: '/api/v1/orders' },
} as const;

/** Every route of the gateway. */
export const gatewayRoutes = [
  'POST /api/v1/user/register',
  'POST /api/v1/user/login',
  'GET /api/v1/user/:userId',
  'PUT /api/v1/user/info',
  'GET /api/v1/products',
  'GET /api/v1/products/:id',
  'POST /api/v1/orders',
  'GET /api/v1/orders/:id',
  'GET /api/v1/orders',
] as const;

/** Those of them that are for who is logged in. */
export const userRoutes: readonly GatewayRoute[] = [
  'GET /api/v1/user/:userId',
  'PUT /api/v1/user/info',
  'POST /api/v1/orders',
  'GET /api/v1/orders/:id',
  'GET /api/v1/orders',
];

/** Every method of the contracts. */
export const methods = [
  '/inventory.Inventory/Check',
  '/inventory.Inventory/Reduce',
  '/inventory.Inventory/Restore',
  '/orders.Orders/Create',
  '/orders.Orders/Get',
  '/orders.Orders/List',
  '/payment.Payment/Charge',
  '/payment.Payment/Get',
  '/product.Product/List',
  '/product.Product/Get',
  '/product.Product/GetMany',
  '/user.User/Register',
  '/user.User/Login',
  '/user.User/Get',
  '/user.User/UpdateInfo',
] as const;

/** How many copies of each service run unless a scenario says otherwise. */
export const defaultReplicas: Readonly<Record<Service, number>> = { gateway: 2, user: 1, product: 1, inventory: 2, orders: 1, payment: 1 };

/** One of our own processes. */
export type Service = keyof typeof calls;
/** A server behind the services. */
export type Backing = 'mysql' | 'redis' | 'etcd' | 'otlp';
type Callee<C extends Service> = (typeof calls)[C][number];
/** `caller->callee`; a call the mall does not make is not an Edge. */
export type Edge = { [C in Service]: `${C}->${Callee<C>}` }[Service];
export type Route = keyof typeof routes;
export type GatewayRoute = (typeof gatewayRoutes)[number];

export const services = Object.keys(calls) as Service[];
export const edges = services.flatMap((caller) => calls[caller].map((callee) => `${caller}->${callee}` as Edge));
export const routeNames = Object.keys(routes) as Route[];

export const isService = (name: string): name is Service => Object.hasOwn(calls, name);
export const isEdge = (name: string): name is Edge => (edges as string[]).includes(name);
export const isRoute = (name: string): name is Route => Object.hasOwn(routes, name);

export function endsOf(edge: Edge): { caller: Service; callee: Service | Backing } {
  const [caller, callee] = edge.split('->') as [Service, Service | Backing];
  return { caller, callee };
}

/** One running copy, as it is written everywhere: in etcd, in spans, on the command line. */
export const instanceName = (service: Service, replica: number) => `${service}.${replica}`;

/**
 * The stretch of network between a caller and one replica of its callee (or a backing server): the place where a proxy sits.
 * `name` is `orders->inventory.2`, or `orders->mysql` where the callee has no replicas; `upstream` is the callee's true address.
 */
export type Wire = { name: string; edge: Edge; replica?: number; upstream: string };

/** All wires of a mall, given how many replicas run and where each callee listens. */
export function wiresOf(replicas: Readonly<Record<Service, number>>, addressOf: (callee: string) => string): Wire[] {
  return edges.flatMap((edge): Wire[] => {
    const { callee } = endsOf(edge);
    if (!isService(callee)) return [{ name: edge, edge, upstream: addressOf(callee) }];
    return Array.from({ length: replicas[callee] }, (_, index) => {
      const instance = instanceName(callee, index + 1);
      return { name: `${edge}.${index + 1}`, edge, replica: index + 1, upstream: addressOf(instance) };
    });
  });
}
