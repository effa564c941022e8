/** Columns that a text without control characters takes on a terminal: 2 for what East Asian scripts and emoji are made of, 0 for accents put on top. */
export function displayWidth(text: string): number {
  return [...graphemesOf(text)].reduce((sum, { segment }) => sum + widthOf(segment), 0);
}

/** As much of the text as fits, with `…` at the end where something is missing. Nothing that a reader takes for one character is cut in two. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return '';
  let kept = '';
  let columns = 0;
  for (const { segment } of graphemesOf(text)) {
    columns += widthOf(segment);
    if (columns > width - 1) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const graphemesOf = (text: string) => graphemes.segment(text);

function widthOf(grapheme: string): number {
  if (isAscii.test(grapheme)) return grapheme.length;
  if (isInvisible.test(grapheme)) return 0;
  return isWide.test(grapheme) || grapheme.includes(emojiSelector) ? 2 : 1;
}

const isAscii = /^[ -~]+$/;
const isInvisible = /^[\p{M}\p{Cf}\p{Cc}]+$/u;
/** The wide and full-width ranges of https://www.unicode.org/reports/tr11/ that texts are written in, and emoji. */
const isWide =
  /\p{Emoji_Presentation}|\p{Regional_Indicator}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|[\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]/u;
/** Makes an emoji of the sign before it. */
const emojiSelector = '\ufe0f';
