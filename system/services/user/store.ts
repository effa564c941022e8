import type { Cache } from '../../stores/cache.ts';
import { DuplicateKeyError, type Sql } from '../../stores/sql.ts';
import type { Account } from './user.ts';

export type UserStore = ReturnType<typeof userStore>;
/** A row as the database and the cache hold it. The hash stays in here and in the login. */
type User = Account & { passwordHash: string };

/** Users in MySQL; read through the cache, by their id or by their mobile number, which the cache holds as a way to the id. */
export function userStore({ sql, cache }: { sql: Sql; cache: Cache }) {
  const byId = (id: number): Promise<User | undefined> => cache.read(keyOf(id), () => rowWhere('id = ?', id));

  return {
    /** The new user's id, or undefined when the mobile number is taken. */
    async insert({ mobile, name, passwordHash }: { mobile: string; name: string; passwordHash: string }): Promise<number | undefined> {
      try {
        const { insertId } = await sql.execute('INSERT INTO users (mobile, name, password_hash) VALUES (?, ?, ?)', [
          mobile,
          name,
          passwordHash,
        ]);
        // Somebody may have asked for the number or the id before they existed, and the cache remembers that nobody was there. go-zero leaves
        // it at that for a minute.
        await cache.forget(keyOf(insertId), mobileKeyOf(mobile));
        return insertId;
      } catch (error) {
        if (error instanceof DuplicateKeyError) return undefined;
        throw error;
      }
    },

    byMobile: (mobile: string): Promise<User | undefined> =>
      cache.readByIndex<User, number>(mobileKeyOf(mobile), {
        idOf: ({ id }) => id,
        keyOf,
        byIndex: () => rowWhere('mobile = ?', mobile),
        byId: (id) => rowWhere('id = ?', id),
      }),

    async byId(id: number): Promise<Account | undefined> {
      const user = await byId(id);
      return user && { id, mobile: user.mobile, name: user.name };
    },

    /**
     * The account as it is afterwards; undefined when there is no such user. The row first, then the cache: the other way round a reader
     * could cache the old row for good. The keys to forget are those of the old row.
     */
    async rename({ id, name }: { id: number; name: string }): Promise<Account | undefined> {
      const old = await byId(id);
      if (old === undefined) return undefined;
      const { affectedRows } = await sql.execute('UPDATE users SET name = ? WHERE id = ?', [name, id]);
      await cache.forget(keyOf(id), mobileKeyOf(old.mobile));
      return affectedRows > 0 ? { id, mobile: old.mobile, name } : undefined;
    },
  };

  async function rowWhere(condition: 'id = ?' | 'mobile = ?', value: number | string): Promise<User | undefined> {
    const [row] = await sql.query<User>(`SELECT id, mobile, name, password_hash AS passwordHash FROM users WHERE ${condition}`, [value]);
    return row;
  }
}

const keyOf = (id: number) => `user:${id}`;
const mobileKeyOf = (mobile: string) => `user:mobile:${mobile}`;
