import { createConnection } from 'mysql2/promise';
import { splitAddress } from '../../core/address.ts';
import { messageOf, UsageError } from '../../core/errors.ts';
import { readConfig } from '../config.ts';
import { schema as inventory } from '../services/inventory/schema.ts';
import { schema as orders } from '../services/orders/schema.ts';
import { schema as payment } from '../services/payment/schema.ts';
import { schema as product } from '../services/product/schema.ts';
import { hashPassword } from '../services/user/password.ts';
import { schema as user } from '../services/user/schema.ts';
import { balanceCents, catalogue, plenty, readSeed, type Seed, shopper } from './seed.ts';

// Creates the mall's schemas and what is in them before the first shopper comes. Runs once and ends; exits with 3 when the seed is wrong.
try {
  await fill(readSeed(process.env));
} catch (error) {
  process.stderr.write(`${error instanceof UsageError ? error.message : ((error as Error).stack ?? messageOf(error))}\n`);
  process.exitCode = error instanceof UsageError ? 3 : 1;
}

async function fill(seed: Seed): Promise<void> {
  const { mysql, mysqlUser, mysqlPassword, namespace } = readConfig();
  const books = await createConnection({ ...splitAddress(mysql), user: mysqlUser, password: mysqlPassword });
  // The hashes are made on other threads while the tables are.
  const hashes = Promise.all(numbers(seed.shoppers).map((number) => hashPassword(shopper(number).password)));
  try {
    for (const [service, statements] of Object.entries({ user, product, inventory, orders, payment })) {
      await books.query(`CREATE DATABASE IF NOT EXISTS ${namespace}_${service}`);
      await books.query(`USE ${namespace}_${service}`);
      for (const statement of statements) await books.query(statement);
    }
    const passwords = await hashes;
    const people = numbers(seed.shoppers).map(shopper);
    const insert = (table: string, columns: string, rows: (string | number)[][]) =>
      books.query(`INSERT INTO ${namespace}_${table} (${columns}) VALUES ?`, [rows]);
    await insert(
      'user.users',
      'id, mobile, name, password_hash',
      people.map(({ id, mobile, name }, index) => [id, mobile, name, passwords[index] ?? '']),
    );
    await insert(
      'payment.accounts',
      'user_id, balance_cents',
      people.map(({ id }) => [id, balanceCents]),
    );
    await insert(
      'product.products',
      'id, position, name, description, price_cents',
      catalogue.map(({ id, name, description, priceCents }, index) => [id, index + 1, name, description, priceCents]),
    );
    await insert(
      'inventory.stock',
      'product_id, available',
      catalogue.map(({ id }) => [id, seed.stock[id] ?? plenty]),
    );
  } finally {
    await books.end();
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
