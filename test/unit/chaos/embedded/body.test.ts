import { expect, test } from 'vitest';
import { parseAttributes, parseProxies, parseProxy, parseToxic } from '../../../../chaos/embedded/body.ts';

test.each([
  ['{"name":"a"} trailing', { name: 'a' }],
  ['{"name":"a"}{"name":"b"}', { name: 'a' }],
  ['{"name":"}]\\"{"} ]', { name: '}]"{' }],
  ['{"NAME":"a","Upstream":"b","other":{"x":[1]}}', { name: 'a', upstream: 'b' }],
  ['{"name":null,"enabled":false}', { enabled: false }],
  ['null', {}],
  [' \n{"name":"a"}', { name: 'a' }],
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
  ['{"name":[1,2]}', /^bad request body: expected 'name' to be of type string, got an array$/],
  [':{}', /^bad request body: /],
  ['{"enabled":"yes"}', /^bad request body: expected 'enabled' to be of type boolean/],
])('%j is refused', (body, message) => {
  expect(() => parseProxy(body)).toThrow(message);
});

test.each([
  ['a quote that is never closed', `{"name":"${'\\"'.repeat(200_000)}`],
  ['brackets without end', '['.repeat(400_000)],
  ['a deep value in place of a name', `{"name":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
])('%s is refused in no time', (_, body) => {
  const startMs = performance.now();
  expect(() => parseProxy(body)).toThrow(/^bad request body: /);
  expect(performance.now() - startMs).toBeLessThan(500);
});

test.each(['1e300', '1e39'])('a toxicity of %s does not fit', (toxicity) => {
  expect(() => parseToxic(`{"toxicity":${toxicity}}`)).toThrow('bad request body');
});

test.each([
  ['9223372036854775807', true],
  ['1e30', false],
])('an attribute of %s is accepted: %s', (text, isAccepted) => {
  const parse = () => parseAttributes(JSON.parse(`{"rate":${text}}`), ['rate']);
  if (isAccepted) expect(parse()).toEqual({ rate: 2 ** 63 });
  else expect(parse).toThrow('bad request body');
});

test('a list of proxies is a list', () => {
  expect(parseProxies('[{"name":"a"},{}]')).toEqual([{ name: 'a' }, {}]);
  expect(parseProxies('null')).toEqual([]);
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
