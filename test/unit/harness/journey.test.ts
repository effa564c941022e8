import { expect, test } from 'vitest';
import { UsageError } from '../../../core/errors.ts';
import { call, del, get, journey, patch, post, put, vocabulary } from '../../../harness/index.ts';
import type { Journey } from '../../../harness/journey.ts';

const visit = async () => {};

test.each([
  [get('/a?b=1'), { method: 'GET', path: '/a?b=1' }],
  [
    get('/a', { headers: { accept: 'text/html' }, readsBody: false }),
    { method: 'GET', path: '/a', headers: { accept: 'text/html' }, readsBody: false },
  ],
  [del('/a'), { method: 'DELETE', path: '/a' }],
  [post('/a'), { method: 'POST', path: '/a', headers: {} }],
  [post('/a', 'text'), { method: 'POST', path: '/a', headers: {}, body: 'text' }],
  [put('/a', Buffer.from('x')), { method: 'PUT', path: '/a', headers: {}, body: Buffer.from('x') }],
  [patch('/a', { n: 1 }), { method: 'PATCH', path: '/a', headers: { 'content-type': 'application/json' }, body: '{"n":1}' }],
  [post('/a', null), { method: 'POST', path: '/a', headers: { 'content-type': 'application/json' }, body: 'null' }],
  [
    post('/a', { n: 1 }, { headers: { 'x-id': '7' } }),
    { method: 'POST', path: '/a', headers: { 'content-type': 'application/json', 'x-id': '7' }, body: '{"n":1}' },
  ],
  [call('shop.Orders/Place'), { call: 'shop.Orders/Place', message: {} }],
  [
    call('shop.Orders/Place', { id: 'a' }, { metadata: { who: 'me' } }),
    { call: 'shop.Orders/Place', message: { id: 'a' }, metadata: { who: 'me' } },
  ],
])('%o', (ask, expected) => {
  expect(ask).toEqual(expected);
});

test.each(['content-type', 'Content-Type'])('whoever names a %s is not given another', (name) => {
  const { headers } = post('/a', {}, { headers: { [name]: 'application/vnd.shop+json' } });
  expect(headers).toEqual({ [name]: 'application/vnd.shop+json' });
});

test('a journey keeps the names of its steps in their order', () => {
  expect(journey(['list', 'add to cart', 'buy-2'], visit)).toEqual({ steps: ['list', 'add to cart', 'buy-2'], visit });
  expect(vocabulary('list', 'buy').journey(visit).steps).toEqual(['list', 'buy']);
});

test.each<[string, () => Journey, string]>([
  ['no steps', () => journey([], visit), 'got none'],
  ['a function alone', () => journey(visit as never, visit), 'got none'],
  ['a step without a name', () => journey([''], visit), "got ''"],
  ['a step that would leave its folder', () => journey(['../list'], visit), "got '../list'"],
  ['a step of two lines', () => journey(['list\n'], visit), "got 'list\n'"],
  ['a step with an endless name', () => journey(['x'.repeat(41)], visit), 'up to 40'],
  ['a step that is a number', () => journey([7 as never], visit), "got '7'"],
  ['two steps of one name', () => journey(['list', 'buy', 'list'], visit), "Two steps of a journey are called 'list'"],
  ['nothing to do', () => journey(['list'], undefined as never), 'Expected a journey to have an async function'],
])('a journey with %s is refused', (_, make, sentence) => {
  expect(make).toThrow(UsageError);
  expect(make).toThrow(sentence);
});
