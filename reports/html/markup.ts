/** Markup that is safe to put on a page. */
export type Markup = { readonly markup: string };
type Piece = Markup | string | number | false | undefined | readonly Piece[];

/** A template whose text is escaped wherever it goes in; only other markup goes in as it is. `false` and `undefined` leave nothing. */
export function html(literals: TemplateStringsArray, ...pieces: Piece[]): Markup {
  return { markup: literals.map((literal, index) => (index === 0 ? literal : `${markupOf(pieces[index - 1])}${literal}`)).join('') };
}

/** For what this program wrote itself: style sheets, the script, path data. */
export const trusted = (markup: string): Markup => ({ markup });

/** A value as JSON inside a script element: no `<` remains, so nothing in it can end the element. */
export function embedded(value: unknown): Markup {
  return trusted(JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029'));
}

/** Text in which no edge such as `orders->payment` is broken over two lines. */
export function unbroken(text: string): Markup {
  return html`${text.split(/(\S+->\S+)/).map((part, index) => (index % 2 === 1 ? html`<span class="edge">${part}</span>` : part))}`;
}

function markupOf(piece: Piece): string {
  if (piece === undefined || piece === false) return '';
  if (typeof piece === 'string') return escaped(piece);
  if (typeof piece === 'number') return String(piece);
  return 'markup' in piece ? piece.markup : piece.map(markupOf).join('');
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}
