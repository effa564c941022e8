import { displayWidth } from '../../reports/width.ts';

/**
 * What a person would see: a terminal of so many columns and rows that understands the few control sequences we use, and refuses others. Lines that
 * are too long wrap, also where wrapping was asked to be off. When it is made narrower or wider, it wraps anew, as most terminals do.
 */
export function createScreen({ columns, rows }: { columns: number; rows: number }) {
  let size = { columns, rows };
  // A cell is what stands in one column; the second of a wide character is empty. `wraps` says that the next line belongs to this one.
  let lines: { cells: string[]; wraps: boolean }[] = [{ cells: [], wraps: false }];
  let cursor = { line: 0, column: 0 };
  let isCursorShown = true;
  const resizeListeners = new Set<() => void>();

  const lineAt = (index: number) => {
    while (lines.length <= index) lines.push({ cells: [], wraps: false });
    return lines[index] ?? { cells: [], wraps: false };
  };
  const topOfScreen = () => Math.max(0, lines.length - size.rows);

  function put(grapheme: string): void {
    const width = displayWidth(grapheme);
    if (cursor.column + width > size.columns) {
      lineAt(cursor.line).wraps = true;
      cursor = { line: cursor.line + 1, column: 0 };
    }
    const { cells } = lineAt(cursor.line);
    while (cells.length < cursor.column) cells.push(' ');
    cells.splice(cursor.column, width, grapheme, ...Array.from({ length: width - 1 }, () => ''));
    cursor.column += width;
  }

  function control(sequence: string): void {
    const [, digits = '', kind = ''] = /^\[([?\d;]*)([A-Za-z])$/.exec(sequence) ?? [];
    const line = lineAt(cursor.line);
    if (kind === 'm' || digits === '?7') return;
    else if (digits === '?25') isCursorShown = kind === 'h';
    else if (kind === 'A') cursor.line = Math.max(topOfScreen(), cursor.line - Number(digits || 1));
    else if (kind === 'K' && digits === '') {
      line.cells.length = Math.min(line.cells.length, cursor.column);
      line.wraps = false;
    } else if (kind === 'J' && digits === '') {
      line.cells.length = Math.min(line.cells.length, cursor.column);
      line.wraps = false;
      for (const below of lines.slice(cursor.line + 1)) Object.assign(below, { cells: [], wraps: false });
    } else throw new Error(`This terminal does not understand ESC ${sequence}`);
  }

  function write(text: string | Uint8Array): boolean {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal is about
    for (const [piece] of String(text).matchAll(/\u001b\[[?\d;]*[A-Za-z]|\r|\n|[^\u001b\r\n]+/gu)) {
      if (piece.startsWith('\u001b')) control(piece.slice(1));
      else if (piece === '\r') cursor.column = 0;
      else if (piece === '\n') {
        cursor = { line: cursor.line + 1, column: 0 };
        lineAt(cursor.line);
      } else for (const { segment } of graphemes.segment(piece)) put(segment);
    }
    return true;
  }

  /** Lines that were wrapped are put together again and cut anew; the cursor stays on its character. */
  function resize(to: { columns: number; rows: number }): void {
    const cut: typeof lines = [];
    let moved = cursor;
    let whole: { cells: string[]; cursorAt: number | undefined } = { cells: [], cursorAt: undefined };
    for (const [index, { cells, wraps }] of lines.entries()) {
      if (index === cursor.line) whole.cursorAt = whole.cells.length + cursor.column;
      whole.cells.push(...cells);
      if (wraps) continue;
      const first = cut.length;
      for (let from = 0; from === 0 || from < whole.cells.length; from += to.columns) {
        cut.push({ cells: whole.cells.slice(from, from + to.columns), wraps: from + to.columns < whole.cells.length });
      }
      if (whole.cursorAt !== undefined) {
        moved = { line: first + Math.floor(whole.cursorAt / to.columns), column: whole.cursorAt % to.columns };
      }
      whole = { cells: [], cursorAt: undefined };
    }
    lines = cut;
    cursor = moved;
    size = to;
    for (const listener of resizeListeners) listener();
  }

  const texts = () => lines.map(({ cells }) => cells.join('').trimEnd());
  return {
    /** What a program writes to. */
    stream: {
      isTTY: true as const,
      get columns() {
        return size.columns;
      },
      get rows() {
        return size.rows;
      },
      write,
      on: (_event: 'resize', listener: () => void) => resizeListeners.add(listener),
      off: (_event: 'resize', listener: () => void) => resizeListeners.delete(listener),
    },
    resize,
    /** Everything from the first line on, also what has scrolled away, without empty lines at the end. */
    text: () => texts().join('\n').trimEnd(),
    lines: () => texts().join('\n').trimEnd().split('\n'),
    /** Whether any line had to be wrapped. */
    hasWrapped: () => lines.some(({ wraps }) => wraps),
    isCursorShown: () => isCursorShown,
    cursor: () => ({ ...cursor }),
    listeners: () => resizeListeners.size,
  };
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
