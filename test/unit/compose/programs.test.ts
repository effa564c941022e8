import { expect, test } from 'vitest';
import { howToProvide } from '../../../compose/programs.ts';

test('the message names what is missing and every way to get it', () => {
  const message = howToProvide(['mysql', 'etcd'], 'not found on PATH');
  expect(message.split('\n')[0]).toBe('MariaDB and etcd were not found on PATH. Any of these helps:');
  expect(message).toContain('docker compose -f compose/compose.yaml up -d');
  expect(message).toContain('brew install mariadb etcd');
  expect(message).toContain('STAMPEDE_MYSQL_URL=… STAMPEDE_ETCD_URL=…');
});

test('one missing server is told in the singular', () => {
  expect(howToProvide(['redis'], 'not found on PATH')).toMatch(/^Redis was not found on PATH\./);
});
