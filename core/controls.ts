/** One line of a text: what would move a cursor or change a colour becomes a space. */
export const withoutControls = (text: string) => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');

/** The same, no longer than so many characters: for what others wrote, who may have written much. */
export function inOneLine(text: string, longest: number): string {
  const line = withoutControls(text).trim();
  // Half a pair of surrogates is no character.
  return line.length <= longest
    ? line
    : `${line
        .slice(0, longest - 1)
        .trimEnd()
        .replace(/[\ud800-\udbff]$/, '')}…`;
}
