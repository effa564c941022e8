import { expect, test } from 'vitest';
import { isAddress, splitAddress } from '../../../core/address.ts';

test.each([
  ['127.0.0.1:3306', { host: '127.0.0.1', port: 3306 }],
  ['mysql:65535', { host: 'mysql', port: 65_535 }],
])('%s has a host and a port', (text, parts) => {
  expect(isAddress(text)).toBe(true);
  expect(splitAddress(text)).toEqual(parts);
});

test.each(['', 'mysql', ':3306', 'mysql:', 'mysql:0', 'mysql:65536', 'mysql:99999', 'a b:1', 'a:1:2', 'a:1x'])(
  '%j is no address',
  (text) => {
    expect(isAddress(text)).toBe(false);
    expect(() => splitAddress(text)).toThrow(`got '${text}'`);
  },
);

test.each([undefined, null, 3306, {}])('%j is no address', (value) => {
  expect(isAddress(value)).toBe(false);
});
