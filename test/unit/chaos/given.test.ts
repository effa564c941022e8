import { expect, test } from 'vitest';
import { givenToxiproxy } from '../../../chaos/given.ts';

test('without an address there is none', () => {
  expect(givenToxiproxy({})).toBeUndefined();
  expect(givenToxiproxy({ STAMPEDE_TOXIPROXY_URL: '' })).toBeUndefined();
});

test.each([
  ['http://127.0.0.1:8474', undefined, { controlUrl: 'http://127.0.0.1:8474', allowRemote: false }],
  ['http://toxiproxy:8474/', 'yes', { controlUrl: 'http://toxiproxy:8474', allowRemote: true }],
  ['http://localhost:8474', 'no', { controlUrl: 'http://localhost:8474', allowRemote: false }],
])('takes %s, remote %s', (url, remote, given) => {
  expect(givenToxiproxy({ STAMPEDE_TOXIPROXY_URL: url, STAMPEDE_TOXIPROXY_REMOTE: remote })).toEqual(given);
});

test.each([
  ['127.0.0.1:8474', undefined, "Expected STAMPEDE_TOXIPROXY_URL to be an address such as http://127.0.0.1:8474, got '127.0.0.1:8474'"],
  ['https://127.0.0.1:8474', undefined, "got 'https://127.0.0.1:8474'"],
  ['http://127.0.0.1:8474/proxies', undefined, 'an address such as'],
  ['http://127.0.0.1:8474', 'maybe', "Expected STAMPEDE_TOXIPROXY_REMOTE to be yes or no, got 'maybe'"],
])('refuses %s, remote %s', (url, remote, sentence) => {
  expect(() => givenToxiproxy({ STAMPEDE_TOXIPROXY_URL: url, STAMPEDE_TOXIPROXY_REMOTE: remote })).toThrow(sentence);
});
