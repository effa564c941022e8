import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { seededRandom } from '../../../../core/random.ts';
import { openJourneys } from '../../../../harness/drivers/visitor.ts';
import { type Ask, call, get, post } from '../../../../harness/journey.ts';
import type { Target } from '../../../../harness/target.ts';

const support = join(import.meta.dirname, '../../../support');
const scenario = pathToFileURL(join(support, 'scenarios/visits-a-shop.ts')).href;
const http: Target = { http: 'http://127.0.0.1:1' };
const grpc: Target = { grpc: '127.0.0.1:1', proto: join(support, 'servers/shop.proto') };
const context = { now: () => 0, timeoutMs: 1_000, random: seededRandom(1), thread: { index: 0, of: 1 }, phaseAt: () => 'calm' };
const ofHttp = "Expected a request to have 'method', 'path', 'headers', 'body' and 'readsBody' only";

test.each<[string, Target, Ask, string]>([
  ['a misspelled detail', http, get('/', { header: {} } as never), `${ofHttp}, got 'header'`],
  ['a misspelled detail beside a body', http, post('/', { sku: 1 }, { readBody: false } as never), `${ofHttp}, got 'readBody'`],
  [
    'a misspelled detail of a call',
    grpc,
    call('shop.Orders/Place', {}, { meta: {} } as never),
    "Expected a request to have 'call', 'message' and 'metadata' only, got 'meta'",
  ],
  ['a call over HTTP', http, call('shop.Orders/Place'), "Expected an HTTP request such as get('/products') for an HTTP target"],
  ['a path over gRPC', grpc, get('/'), "Expected a call such as call('shop.Orders/Place', {}) for a gRPC target, got GET /"],
])('a request with %s is a mistake of the journey, and is not sent', async (_, target, ask, sentence) => {
  const { sender } = await openJourneys({ scenario, target }, context);
  expect(() => sender()(ask, undefined, () => expect.unreachable())).toThrow(sentence);
});
