import { expect, test } from 'vitest';
import { readConfig } from '../../../system/config.ts';
import { testRuntime } from '../../support/runtime.ts';

const { config } = testRuntime('orders', { config: { listen: '127.0.0.1:4000', admin: '127.0.0.1:4100' } });
const read = (fields: object) => readConfig({ MALL_CONFIG: JSON.stringify({ ...config, ...fields }) });

test('a full configuration is read as it is', () => {
  expect(read({})).toEqual(config);
});

test.each(['{"service":', 'null', '[]', '"orders"', '7'])('%s is no configuration, and is named', (text) => {
  expect(() => readConfig({ MALL_CONFIG: text })).toThrow(`Expected MALL_CONFIG to hold an object as JSON, got ${text}`);
});

test('a missing configuration is named', () => {
  expect(() => readConfig({})).toThrow('MALL_CONFIG');
});

test.each([
  ['service', 'warehouse'],
  ['replica', 0],
  ['listen', '127.0.0.1'],
  ['mysql', '127.0.0.1:99999'],
  ['redis', 6379],
  ['mysqlUser', null],
  ['namespace', 'Mall-1'],
  ['addresses', { '127.0.0.1:4000': 'nowhere' }],
  ['addresses', []],
  ['epochOffsetNs', 5],
  ['jwtSecret', 'short'],
])('a wrong %s is named with what came: %j', (field, value) => {
  expect(() => read({ [field]: value })).toThrow(new RegExp(`Expected '${field}' of MALL_CONFIG to be .*, got `));
});
