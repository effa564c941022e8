import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastify from 'fastify';
import { expect, test } from 'vitest';
import { loadContract } from '../../system/contracts/load.ts';
import { addRoutes, type Services } from '../../system/gateway/routes.ts';
import { methodsOf } from '../../system/rpc/methods.ts';
import { gatewayRoutes, methods, userRoutes } from '../../system/topology.ts';
import { tuningOf } from '../../system/tuning.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/governance.md'), 'utf8');
const told = new Map(
  [...page.matchAll(/^\| `([a-z][\w.]+)`\s+\| (`[^`]*`|[^|]*?)\s*\|/gm)].map(([, field = '', value = '']) => [field, value]),
);

test('docs/governance.md lists every field that can be tuned, with its default, and no other', () => {
  const fields = fieldsOf(tuningOf('gateway'));
  expect([...told.keys()].toSorted()).toEqual(fields.map(([field]) => field).toSorted());
  for (const [field, value] of fields) {
    if (field !== 'deadlines.edges') expect([field, told.get(field)]).toEqual([field, `\`${JSON.stringify(value)}\``]);
  }
});

/** Tables by name, such as `deadlines.edges`, are one field. */
function fieldsOf(tuning: object, path: readonly string[] = []): [field: string, value: unknown][] {
  return Object.entries(tuning).flatMap(([name, value]) => {
    const field = [...path, name].join('.');
    const isBlock = typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 0 && field !== 'deadlines.edges';
    return isBlock ? fieldsOf(value, [...path, name]) : [[field, value] as [string, unknown]];
  });
}

test('the routes and methods that can be tuned are those that exist', async () => {
  const app = fastify();
  const services = { user: {}, product: {}, orders: {} } as unknown as Services;
  const added = addRoutes(app, { govern: (_name, handler) => handler, services, newKey: () => '' });
  expect(added.map(({ name }) => name)).toEqual(gatewayRoutes);
  expect(added.filter(({ hasUser }) => hasUser).map(({ name }) => name)).toEqual(userRoutes);
  const contracts = (['inventory', 'orders', 'payment', 'product', 'user'] as const).flatMap((service) => methodsOf(loadContract(service)));
  expect(contracts.map(({ path }) => path)).toEqual(methods);
});
