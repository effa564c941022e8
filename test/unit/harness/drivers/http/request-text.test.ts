import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRequestWriter } from '../../../../../harness/drivers/http/request-text.ts';
import type { HttpRequest } from '../../../../../harness/drivers/transport.ts';

const write = createRequestWriter('127.0.0.1:8080');
const get: HttpRequest = { origin: 'http://127.0.0.1:8080', method: 'GET', path: '/', readsBody: false };

test.each<[what: string, request: Partial<HttpRequest>, text: string]>([
  ['a plain request', {}, 'GET / HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n\r\n'],
  [
    'headers',
    { path: '/a?b=c', headers: { Accept: 'x', 'x-empty': '' } },
    'GET /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nAccept: x\r\nx-empty: \r\n\r\n',
  ],
  ['a host of its own', { headers: { Host: 'shop.example' } }, 'GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n'],
  ['a body', { method: 'POST', body: '{"a":1}' }, 'POST / HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-length: 7\r\n\r\n{"a":1}'],
  ['an empty body', { method: 'POST', body: '' }, 'POST / HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-length: 0\r\n\r\n'],
  ['no body where one is usual', { method: 'POST' }, 'POST / HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-length: 0\r\n\r\n'],
  [
    'a body where none is usual',
    { method: 'DELETE', body: 'x' },
    'DELETE / HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-length: 1\r\n\r\nx',
  ],
])('writes %s in one piece', (_what, request, text) => {
  expect(write({ ...get, ...request })).toEqual({ text, rest: undefined, closesConnection: false });
});

test.each<[body: string | Uint8Array, size: number]>([
  ['é€', 5],
  [new Uint8Array([0, 255]), 2],
])('counts the bytes of a body that is not ASCII: %s', (body, size) => {
  const { text, rest } = write({ ...get, method: 'POST', body });
  expect(text).toBe(`POST / HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-length: ${size}\r\n\r\n`);
  expect(Buffer.from(rest ?? [])).toEqual(typeof body === 'string' ? Buffer.from(body) : Buffer.from([0, 255]));
});

test.each<[value: string, closes: boolean]>([
  ['close', true],
  ['Close, x', true],
  ['keep-alive', false],
])('knows that connection: %s closes the connection: %s', (value, closesConnection) => {
  expect(write({ ...get, headers: { connection: value } })).toMatchObject({ closesConnection });
});

test.each<[what: string, request: Partial<HttpRequest>, message: RegExp]>([
  ['a line break in a value', { headers: { a: 'b\r\nc: d' } }, /the header 'a' to be one line.*got "b\\r\\nc: d"/],
  ['a bare line feed in a value', { headers: { a: 'b\nc' } }, /the header 'a'/],
  ['a bare carriage return in a value', { headers: { a: 'b\rc' } }, /the header 'a'/],
  ['a NUL in a value', { headers: { a: '\0' } }, /the header 'a'/],
  ['a value beyond latin1', { headers: { a: '€' } }, /the header 'a'/],
  ['a value that is no text', { headers: { a: undefined as unknown as string } }, /the header 'a'.*got undefined/],
  ['a line break in a name', { headers: { 'a\r\nb': 'c' } }, /a header's name.*got "a\\r\\nb"/],
  ['a colon in a name', { headers: { 'a:': 'c' } }, /a header's name/],
  ['an empty name', { headers: { '': 'c' } }, /a header's name/],
  ['a length of its own', { headers: { 'Content-Length': '3' } }, /'Content-Length' to be left to the transport/],
  ['a coding of its own', { headers: { 'transfer-encoding': 'chunked' } }, /'transfer-encoding' to be left/],
  ['a line break in the path', { path: '/ HTTP/1.1\r\n' }, /a path that begins with '\/'/],
  ['a space in the path', { path: '/a b' }, /a path/],
  ['a path beyond ASCII', { path: '/ä' }, /a path/],
  ['a path without a slash', { path: 'a' }, /a path.*got "a"/],
  ['an empty path', { path: '' }, /a path.*got ""/],
  ['no path', { path: undefined as never }, /a path.*got undefined/],
  ['a line break in the method', { method: 'GET / HTTP/1.1\r\n' }, /a method/],
  ['an empty method', { method: '' }, /a method.*got ""/],
  ['CONNECT', { method: 'CONNECT' }, /a method.*got "CONNECT"/],
])('refuses %s', (_what, request, message) => {
  for (const body of [{}, { body: 'x' }]) {
    expect(() => write({ ...get, ...request, ...body })).toThrow(TypeError);
    expect(() => write({ ...get, ...request, ...body })).toThrow(message);
  }
});

test('headers that are not frozen may change from one request to the next', () => {
  const headers: Record<string, string> = { a: '1' };
  const before = write({ ...get, headers }).text;
  headers.a = '2';
  expect(write({ ...get, headers }).text).toBe(before.replace('a: 1', 'a: 2'));
});

test('frozen headers are written alike with every method, path and body', () => {
  const headers = Object.freeze({ a: '1' });
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT'),
    path: fc.constantFrom('/', '/a', '/b'),
    body: fc.option(fc.constantFrom('', 'x'), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(request), (requests) => {
      for (const { method, path, body } of requests) {
        const asked: HttpRequest = { ...get, method, path, ...(body !== undefined && { body }) };
        expect(write({ ...asked, headers })).toEqual(write({ ...asked, headers: { a: '1' } }));
      }
    }),
  );
});
