import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutToWidth, displayWidth } from '../../../reports/width.ts';

test.each([
  ['', 0],
  ['rush', 4],
  ['▸rush ━━┃── … ±', 15],
  ['héllo', 5],
  ['he\u0301llo', 5],
  ['漢字', 4],
  ['フラッシュ', 10],
  ['한국', 4],
  ['Ａ', 2],
  ['😀', 2],
  ['👩‍👩‍👧', 2],
  ['🇩🇪', 2],
  ['❤\ufe0f', 2],
  ['\u200b', 0],
])("'%s' takes %d columns", (text, columns) => {
  expect(displayWidth(text)).toBe(columns);
});

test.each([
  ['rush', 4, 'rush'],
  ['rush', 3, 'ru…'],
  ['rush', 1, '…'],
  ['rush', 0, ''],
  ['a rush', 3, 'a…'],
  ['漢字漢字', 6, '漢字…'],
  ['漢字漢字', 5, '漢字…'],
  ['漢字漢字', 4, '漢…'],
  ['👩‍👩‍👧👩‍👩‍👧', 3, '👩‍👩‍👧…'],
])("'%s' cut to %d columns is '%s'", (text, width, cut) => {
  expect(cutToWidth(text, width)).toBe(cut);
});

test('a cut text is never wider than was asked for', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(50), (text, width) => {
      expect(displayWidth(cutToWidth(text, width))).toBeLessThanOrEqual(width);
    }),
  );
});
