import { expect, test } from 'vitest';
import { formatAddress, isSameListen, parseAddress } from '../../../../chaos/embedded/address.ts';

test.each([
  ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }],
  ['[::1]:80', { host: '::1', port: 80 }],
  [':80', { host: '', port: 80 }],
  ['localhost:', { host: 'localhost', port: 0 }],
  ['', { host: '', port: 0 }],
])("'%s' is read as %j", (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test.each([
  ['nohost', 'address nohost: missing port in address'],
  ['a:99999', 'address 99999: invalid port'],
  ['::1:80', 'address ::1:80: too many colons in address'],
])("'%s' is refused", (text, message) => {
  expect(() => parseAddress(text)).toThrow(message);
});

test('IPv6 is written in brackets', () => {
  expect(formatAddress({ host: '::', port: 80 })).toBe('[::]:80');
});

test.each([
  [':80', '[::]:80', true],
  ['0.0.0.0:80', '[::]:80', true],
  ['127.0.0.1:80', '[::]:80', false],
  ['127.0.0.1:80', '127.0.0.1:81', false],
  ['127.0.0.1:0', '127.0.0.1:0', false],
])("'%s' and '%s' are the same place: %s", (left, right, isSame) => {
  expect(isSameListen(parseAddress(left), parseAddress(right))).toBe(isSame);
});
