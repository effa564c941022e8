import { expect, test } from 'vitest';
import { givenServers } from '../../../compose/given.ts';
import { UsageError } from '../../../core/errors.ts';

test('nothing is given by an environment without addresses', () => {
  expect(givenServers({ PATH: '/bin', STAMPEDE_REDIS_URL: '' })).toEqual({});
});

test('addresses are read from the environment', () => {
  const env = {
    STAMPEDE_MYSQL_URL: 'mysql://mall:p%40ss@db.local:3307',
    STAMPEDE_REDIS_URL: 'redis://localhost:6380/',
    STAMPEDE_ETCD_URL: 'http://127.0.0.1:2380',
  };
  expect(givenServers(env)).toEqual({
    mysql: { host: 'db.local', port: 3307, user: 'mall', password: 'p@ss' },
    redis: 'localhost:6380',
    etcd: '127.0.0.1:2380',
  });
});

test('ports and the user have the usual defaults', () => {
  const env = { STAMPEDE_MYSQL_URL: 'mysql://db', STAMPEDE_REDIS_URL: 'redis://cache', STAMPEDE_ETCD_URL: 'http://etcd' };
  expect(givenServers(env)).toEqual({
    mysql: { host: 'db', port: 3306, user: 'root', password: '' },
    redis: 'cache:6379',
    etcd: 'etcd:2379',
  });
});

test.each([
  [
    'STAMPEDE_MYSQL_URL',
    'localhost',
    "Expected STAMPEDE_MYSQL_URL to be an address such as mysql://user:password@127.0.0.1:3306, got 'localhost'",
  ],
  ['STAMPEDE_MYSQL_URL', 'postgres://localhost', 'to be an address such as mysql://'],
  ['STAMPEDE_MYSQL_URL', 'mysql://localhost/mall', 'to end after the port'],
  ['STAMPEDE_REDIS_URL', '127.0.0.1:6379', 'to be an address such as redis://'],
  ['STAMPEDE_REDIS_URL', 'redis://localhost/3', 'to end after the port'],
  ['STAMPEDE_REDIS_URL', 'redis://:secret@localhost', 'to name a server without a password'],
  ['STAMPEDE_ETCD_URL', 'https://localhost:2379', 'to be an address such as http://127.0.0.1:2379'],
  ['STAMPEDE_ETCD_URL', 'http://[::1]:2379', 'to be an address such as'],
])('%s=%s is refused in one sentence', (name, value, sentence) => {
  const read = () => givenServers({ [name]: value });
  expect(read).toThrow(UsageError);
  expect(read).toThrow(sentence);
});

test('a refusal does not show the password', () => {
  expect(() => givenServers({ STAMPEDE_MYSQL_URL: 'mysql://root:hunter2@db/mall' })).toThrow(/^(?!.*hunter2).*mysql:\/\/root:…@db\/mall/);
});
