import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** A salted scrypt hash, as `N$salt$hash` in base64url. */
export async function hashPassword(password: string, salt: Uint8Array = randomBytes(16)): Promise<string> {
  const hash = await derive(password, salt, cost);
  return [cost, Buffer.from(salt).toString('base64url'), hash.toString('base64url')].join('$');
}

/** Whether the password is the one that `hashPassword` made the text from; takes the same time for each wrong one. */
export async function isPassword(password: string, stored: string): Promise<boolean> {
  const [storedCost, salt, hash] = stored.split('$');
  if (storedCost === undefined || salt === undefined || hash === undefined) throw new TypeError('Expected a password hash of three parts');
  const expected = Buffer.from(hash, 'base64url');
  return timingSafeEqual(expected, await derive(password, Buffer.from(salt, 'base64url'), Number(storedCost)));
}

// A quarter of the usual 16,384: seeding fifty shoppers shall take a moment, and these accounts guard nothing.
const cost = 4_096;
const hashBytes = 32;

function derive(password: string, salt: Uint8Array, N: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hashBytes, { N }, (failure, hash) => (failure === null ? resolve(hash) : reject(failure)));
  });
}
