import { expect, test } from 'vitest';
import { hashPassword, isPassword } from '../../../../../system/services/user/password.ts';

test('a password is recognised by its hash, another one is not', async () => {
  const stored = await hashPassword('password-1');
  expect(await isPassword('password-1', stored)).toBe(true);
  expect(await isPassword('password-2', stored)).toBe(false);
});

test('the hash names its cost, holds no password and differs by salt', async () => {
  const [first, second] = await Promise.all([hashPassword('password-1'), hashPassword('password-1')]);
  expect(first).toMatch(/^4096\$/);
  expect(first).not.toContain('password');
  expect(first).not.toBe(second);
  expect(first.length).toBeLessThanOrEqual(120);
});

test('a damaged hash is a mistake, not a wrong password', async () => {
  await expect(isPassword('password-1', 'nonsense')).rejects.toThrow('three parts');
});
