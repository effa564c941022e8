import { expect, test } from 'vitest';
import { statementReader } from '../../../../system/stores/statement.ts';

test.each([
  ['SELECT id FROM orders WHERE user_id = ?', 'SELECT orders'],
  ['insert into `order_lines` (order_id) values (?)', 'INSERT order_lines'],
  ['UPDATE stock SET available = available - ? WHERE id = ?', 'UPDATE stock'],
  ['DELETE FROM sessions', 'DELETE sessions'],
  ['CREATE TABLE IF NOT EXISTS payments (id INT)', 'CREATE payments'],
  ['SELECT 1', 'SELECT'],
])('%s is called %s', (sql, title) => {
  expect(statementReader()(sql).title).toBe(title);
});

test('its text fits in one line', () => {
  expect(statementReader()('\n  SELECT id\n    FROM orders  ').text).toBe('SELECT id FROM orders');
});
