import { expect, test } from 'vitest';
import { parseAttributes, parseProxies, parseProxy, parseToxic } from '../../../../chaos/embedded/body.ts';

test.each([
  ['{"name":"a"} trailing', { name: 'a' }],
  ['{"name":"a"}{"name":"b"}', { name: 'a' }],
  ['{"name":"}]\\"{"} ]', { name: '}]"{' }],
  ['{"NAME":"a","Upstream":"b","other":{"x":[1]}}', { name: 'a', upstream: 'b' }],
  ['{"name":null,"enabled":false}', { enabled: false }],
  ['null', {}],
])('%s is read as %j', (body, fields) => {
  expect(parseProxy(body)).toEqual(fields);
});

test.each([
  ['', /^bad request body: EOF$/],
  ['  \n', /^bad request body: EOF$/],
  ['{', /^bad request body: /],
  ['}', /^bad request body: /],
  ['"text"', /^bad request body: expected an object/],
  ['{"name":3}', /^bad request body: expected 'name' to be of type string, got 3/],
  ['{"enabled":"yes"}', /^bad request body: expected 'enabled' to be of type boolean/],
])('%j is refused', (body, message) => {
  expect(() => parseProxy(body)).toThrow(message);
});

test('a list of proxies is a list', () => {
  expect(parseProxies('[{"name":"a"},{}]')).toEqual([{ name: 'a' }, {}]);
  expect(() => parseProxies('{"name":"a"}')).toThrow('bad request body: expected an array of proxies');
});

test.each([0.1, 0.5, 1, 1.5, -1, 0, 0.333])('a toxicity of %d is shown as it was given', (toxicity) => {
  expect(parseToxic(JSON.stringify({ toxicity })).toxicity).toBe(toxicity);
});

test('attributes are those the toxic has, and integers', () => {
  expect(parseAttributes({ Rate: 5, other: 'x' }, ['rate'])).toEqual({ rate: 5 });
  expect(parseAttributes(undefined, ['rate'])).toEqual({});
  expect(() => parseAttributes({ rate: 1.5 }, ['rate'])).toThrow('bad request body');
  expect(() => parseAttributes('x', ['rate'])).toThrow('bad request body');
});
