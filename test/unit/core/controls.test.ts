import { expect, test } from 'vitest';
import { inOneLine, withoutControls } from '../../../core/controls.ts';

test('what would move the cursor becomes a space', () => {
  expect(withoutControls('a\u001b[2J\r\nb\tc\u2028d')).toBe('a [2J b c d');
});

test('one line is no longer than it may be, and ends in a whole character', () => {
  expect(inOneLine('\u001b[31m no\n', 20)).toBe('[31m no');
  expect(inOneLine('abcdef', 6)).toBe('abcdef');
  expect(inOneLine('abcdefg', 6)).toBe('abcde…');
  expect(inOneLine('ab cdefg', 4)).toBe('ab…');
  expect(inOneLine('abc😀defg', 5)).toBe('abc…');
});
