import type { Cache } from '../../stores/cache.ts';
import { DuplicateKeyError, type Sql } from '../../stores/sql.ts';
import type { Account } from './user.ts';

export type UserStore = ReturnType<typeof userStore>;

/** Users in MySQL; accounts are read through the cache. */
export function userStore({ sql, cache }: { sql: Sql; cache: Cache }) {
  return {
    /** The new user's id, or undefined when the mobile number is taken. */
    async insert({ mobile, name, passwordHash }: { mobile: string; name: string; passwordHash: string }): Promise<number | undefined> {
      try {
        const { insertId } = await sql.execute('INSERT INTO users (mobile, name, password_hash) VALUES (?, ?, ?)', [
          mobile,
          name,
          passwordHash,
        ]);
        // A shopper may have asked for this id before it existed, and the cache remembers that nobody was there.
        await cache.forget(keyOf(insertId));
        return insertId;
      } catch (error) {
        if (error instanceof DuplicateKeyError) return undefined;
        throw error;
      }
    },

    async byMobile(mobile: string): Promise<(Account & { passwordHash: string }) | undefined> {
      const [row] = await sql.query<Account & { passwordHash: string }>(
        'SELECT id, mobile, name, password_hash AS passwordHash FROM users WHERE mobile = ?',
        [mobile],
      );
      return row;
    },

    byId: (id: number): Promise<Account | undefined> => cache.read(keyOf(id), () => rowOf(id)),

    /**
     * The account as it is afterwards, read past the cache; undefined when there is no such user. The row first, then the cache: the other
     * way round a reader could cache the old row for good.
     */
    async rename({ id, name }: { id: number; name: string }): Promise<Account | undefined> {
      await sql.execute('UPDATE users SET name = ? WHERE id = ?', [name, id]);
      await cache.forget(keyOf(id));
      return rowOf(id);
    },
  };

  async function rowOf(id: number): Promise<Account | undefined> {
    const [row] = await sql.query<Account>('SELECT id, mobile, name FROM users WHERE id = ?', [id]);
    return row;
  }
}

const keyOf = (id: number) => `user:${id}`;
