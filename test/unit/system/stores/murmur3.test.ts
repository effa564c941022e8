import { expect, test } from 'vitest';
import { murmur3 } from '../../../../system/stores/murmur3.ts';

test.each([
  ['', 0n],
  ['hello', 14688674573012802306n],
  ['127.0.0.1:63790', 0xa0dd8556ad69372an],
  // Known from the reference implementation: one full block, and one with a tail of more than eight bytes.
  ['The quick brown fox jumps over the lazy dog', 0xe34bbc7bbc071b6cn],
])("the hash of '%s'", (text, hash) => {
  expect(murmur3(Buffer.from(text))).toBe(hash);
});

test('a view into a larger buffer hashes as its own bytes do', () => {
  const buffer = Buffer.from('--hello--');
  expect(murmur3(buffer.subarray(2, 7))).toBe(murmur3(Buffer.from('hello')));
});
