/** What a server said that is not an HTTP/1.1 answer, or not a whole one. `code` is `NOT_HTTP`, `HEAD_TOO_LARGE` or `ECONNRESET`. */
export class BadAnswer extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export const longestHead = 65_536;
export const longestText = 1_048_576;

type Stretch =
  | 'head'
  | 'counted'
  | 'untilClose'
  | 'size'
  | 'sizeEnd'
  | 'extension'
  | 'chunk'
  | 'chunkEnd'
  | 'chunkLineEnd'
  | 'trailers'
  | 'whole';

/**
 * Reads one answer after the other off a connection, straight from its bytes and wherever they were cut (RFC 9112). Line ends may be bare LF.
 * Headers stay one piece of text until somebody asks for one.
 */
export class Answer {
  status = 0;
  /** The header lines of the final answer. */
  headerLines = '';
  text = '';
  /** The body was longer than `longestText`, and `text` is its beginning. */
  isCut = false;
  /** The server keeps the connection open for another request. */
  keepsConnection = true;

  #stretch: Stretch = 'head';
  #isToHead = false;
  #readsBody: boolean | ((status: number) => boolean) = false;
  #keepsText = false;
  #kept: Buffer[] = [];
  #keptBytes = 0;

  // Of a head that came in pieces: what has come, how far it was searched for the end of a line, and where that line begins.
  #pieces: Buffer | undefined;
  #pieceBytes = 0;
  #searchedBytes = 0;
  #lineAt = 0;

  #length = -1;
  #isChunked = false;
  #hasTransferCoding = false;
  #isFolded = false;
  #mayFold = false;
  // Of the body, or of the chunk at hand.
  #remaining = 0;
  #digits = 0;
  #lineBytes = 0;
  #extraBytes = 0;

  begin(isToHead: boolean, readsBody: boolean | ((status: number) => boolean)) {
    this.#isToHead = isToHead;
    this.#readsBody = readsBody;
    this.text = '';
    this.isCut = false;
    this.#keepsText = false;
    this.#extraBytes = 0;
    this.#expectHead();
  }

  get isWhole(): boolean {
    return this.#stretch === 'whole';
  }

  /** Takes what belongs to this answer from `bytes`, which it does not keep; returns where that ends. Throws BadAnswer. */
  read(bytes: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to && this.#stretch !== 'whole') {
      switch (this.#stretch) {
        case 'head':
          at = this.#readHead(bytes, at, to);
          break;
        case 'counted':
        case 'chunk':
          at = this.#readCounted(bytes, at, to);
          break;
        case 'untilClose':
          this.#keep(bytes, at, to);
          at = to;
          break;
        default:
          this.#readBetweenChunks(bytes[at] ?? 0);
          at += 1;
      }
    }
    return at;
  }

  /** The server has closed the connection. Throws BadAnswer when more was to come. */
  readEnd() {
    if (this.#stretch === 'untilClose') this.#finish();
    if (this.#stretch === 'whole') return;
    const isUnanswered = this.#stretch === 'head' && this.status === 0 && this.#pieceBytes === 0;
    throw new BadAnswer(
      'ECONNRESET',
      `The server closed the connection ${isUnanswered ? 'instead of answering' : 'in the middle of its answer'}`,
    );
  }

  #expectHead() {
    this.#stretch = 'head';
    this.status = 0;
    this.keepsConnection = true;
    this.#pieces = undefined;
    this.#pieceBytes = 0;
    this.#searchedBytes = 0;
    this.#lineAt = 0;
    this.#length = -1;
    this.#isChunked = false;
    this.#hasTransferCoding = false;
    this.#isFolded = false;
    this.#mayFold = false;
  }

  #readHead(bytes: Buffer, from: number, to: number): number {
    if (this.#pieceBytes === 0) {
      const end = this.#readLines(bytes, from, to);
      if (end === -1) this.#addPiece(bytes, from, to);
      return end === -1 ? to : end;
    }
    const before = this.#pieceBytes;
    const end = this.#readLines(this.#addPiece(bytes, from, to), 0, this.#pieceBytes);
    if (end === -1) return to;
    this.#pieces = undefined;
    this.#pieceBytes = 0;
    return from + end - before;
  }

  #addPiece(bytes: Buffer, from: number, to: number): Buffer {
    const size = this.#pieceBytes + to - from;
    let pieces = this.#pieces;
    if (pieces === undefined || pieces.length < size) {
      const larger = Buffer.allocUnsafe(Math.max(1_024, 2 * size));
      pieces?.copy(larger, 0, 0, this.#pieceBytes);
      this.#pieces = pieces = larger;
    }
    bytes.copy(pieces, this.#pieceBytes, from, to);
    this.#pieceBytes = size;
    return pieces;
  }

  /** Reads the lines of the head that begins at `from`; returns where it ends, or -1 when it ends beyond `to`. */
  #readLines(bytes: Buffer, from: number, to: number): number {
    checkBeginning(bytes, from, to);
    let lineAt = from + this.#lineAt;
    let at = from + this.#searchedBytes;
    for (;;) {
      while (at < to && bytes[at] !== LF) at += 1;
      if (at - from >= longestHead) {
        throw new BadAnswer('HEAD_TOO_LARGE', `Expected the headers of an answer to take at most ${longestHead} bytes, got more`);
      }
      if (at === to) {
        this.#lineAt = lineAt - from;
        this.#searchedBytes = at - from;
        return -1;
      }
      const lineEnd = at > lineAt && bytes[at - 1] === CR ? at - 1 : at;
      at += 1;
      if (this.status === 0) this.#readStatusLine(bytes, lineAt, lineEnd);
      else if (lineEnd === lineAt) break;
      else this.#readHeaderLine(bytes, lineAt, lineEnd);
      lineAt = at;
    }
    // An interim answer, such as 103 Early Hints: the real one follows.
    if (this.status < 200 && this.status !== 101) this.#expectHead();
    else this.#finishHead(bytes, from, at);
    return at;
  }

  #readStatusLine(bytes: Buffer, from: number, to: number) {
    const minor = bytes[from + 7];
    const [hundreds, tens, ones] = [digit(bytes[from + 9]), digit(bytes[from + 10]), digit(bytes[from + 11])];
    const isGood =
      to - from >= 12 &&
      (minor === DIGIT_0 || minor === DIGIT_0 + 1) &&
      bytes[from + 8] === SPACE &&
      hundreds > 0 &&
      tens >= 0 &&
      ones >= 0 &&
      (to - from === 12 || bytes[from + 12] === SPACE);
    if (!isGood) throw notHttp('the first line of an HTTP/1.1 answer', bytes, from, to);
    this.status = 100 * hundreds + 10 * tens + ones;
    this.keepsConnection = minor === DIGIT_0 + 1;
  }

  #readHeaderLine(bytes: Buffer, from: number, to: number) {
    const initial = bytes[from] ?? 0;
    if (initial === SPACE || initial === TAB) {
      // A header may go on in a second line; the ones that say where the answer ends may not.
      if (!this.#mayFold) throw notHttp('a header', bytes, from, to);
      this.#isFolded = true;
      return;
    }
    let colon = from;
    while (colon < to && bytes[colon] !== COLON) colon += 1;
    if (colon === from || colon === to || (bytes[colon - 1] ?? 0) <= SPACE) throw notHttp('a header', bytes, from, to);
    this.#mayFold = true;
    // Only c… and t… can matter here.
    const lower = initial | 0x20;
    if (lower === LOWER_C) {
      if (isWord(bytes, from, colon, 'content-length')) this.#readContentLength(bytes, colon, to);
      else if (isWord(bytes, from, colon, 'connection')) this.#readConnection(valueAfter(bytes, colon, to));
    } else if (lower === LOWER_T && isWord(bytes, from, colon, 'transfer-encoding')) {
      this.#readTransferEncoding(valueAfter(bytes, colon, to));
    }
  }

  #readContentLength(bytes: Buffer, colon: number, to: number) {
    this.#mayFold = false;
    // In nearly every answer it is this simple.
    const plain = this.#length === -1 ? plainNumber(bytes, colon + 1, to) : -1;
    if (plain !== -1) {
      this.#length = plain;
      return;
    }
    const value = valueAfter(bytes, colon, to);
    for (const part of value.split(',')) {
      const digits = part.trim();
      const length = /^\d{1,15}$/.test(digits) ? Number(digits) : -1;
      if (length === -1 || (this.#length !== -1 && this.#length !== length)) {
        const expected = this.#length === -1 ? 'a number of bytes' : `${this.#length} as before`;
        throw new BadAnswer('NOT_HTTP', `Expected content-length to be ${expected}, got '${shortened(value)}'`);
      }
      this.#length = length;
    }
  }

  #readConnection(value: string) {
    for (const option of value.toLowerCase().split(',')) {
      if (option.trim() === 'close') this.keepsConnection = false;
      else if (option.trim() === 'keep-alive') this.keepsConnection = true;
    }
  }

  #readTransferEncoding(value: string) {
    this.#mayFold = false;
    if (this.#isChunked) throw new BadAnswer('NOT_HTTP', `Expected nothing after the transfer-encoding chunked, got '${shortened(value)}'`);
    this.#hasTransferCoding = true;
    this.#isChunked = /(^|,)[ \t]*chunked$/i.test(value);
  }

  #finishHead(bytes: Buffer, from: number, to: number) {
    this.headerLines = bytes.toString('latin1', from, to);
    if (this.#isFolded) this.headerLines = this.headerLines.replace(/\r?\n[ \t]+/g, ' ');
    const { status } = this;
    this.#keepsText = typeof this.#readsBody === 'function' ? this.#readsBody(status) : this.#readsBody;
    if (this.#isToHead || status === 204 || status === 304 || status === 101) {
      // What follows a 101 is another protocol.
      if (status === 101) this.keepsConnection = false;
      this.#stretch = 'whole';
    } else if (this.#hasTransferCoding) {
      // Two statements of the length: the coding counts, and the connection is not to be trusted (RFC 9112, 6.3).
      if (this.#length !== -1) this.keepsConnection = false;
      if (this.#isChunked) this.#expectChunk();
      else this.#readUntilClose();
    } else if (this.#length > 0) {
      this.#remaining = this.#length;
      this.#stretch = 'counted';
    } else if (this.#length === 0) {
      this.#stretch = 'whole';
    } else this.#readUntilClose();
  }

  #readUntilClose() {
    this.keepsConnection = false;
    this.#stretch = 'untilClose';
  }

  #expectChunk() {
    this.#remaining = 0;
    this.#digits = 0;
    this.#stretch = 'size';
  }

  #readCounted(bytes: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + this.#remaining);
    this.#remaining -= end - from;
    const isEnd = this.#remaining === 0;
    if (this.#keepsText) {
      if (isEnd && this.#stretch === 'counted' && this.#keptBytes === 0 && end - from <= longestText)
        this.text = bytes.toString('utf8', from, end);
      else this.#keep(bytes, from, end);
    }
    if (isEnd) {
      if (this.#stretch === 'chunk') this.#stretch = 'chunkEnd';
      else this.#finish();
    }
    return end;
  }

  #keep(bytes: Buffer, from: number, to: number) {
    if (!this.#keepsText) return;
    const end = Math.min(to, from + longestText - this.#keptBytes);
    if (end < to) this.isCut = true;
    if (end === from) return;
    // The bytes lie in a buffer that the next read overwrites.
    this.#kept.push(Buffer.from(bytes.subarray(from, end)));
    this.#keptBytes += end - from;
  }

  #finish() {
    if (this.#keptBytes > 0) {
      this.text = Buffer.concat(this.#kept).toString();
      this.#kept = [];
      this.#keptBytes = 0;
    }
    this.#stretch = 'whole';
  }

  #readBetweenChunks(byte: number) {
    switch (this.#stretch) {
      case 'size': {
        const value = hexDigit(byte);
        if (value >= 0 && this.#digits < 12) {
          this.#remaining = 16 * this.#remaining + value;
          this.#digits += 1;
        } else if (this.#digits === 0 || value >= 0) throw badChunk('a size in hexadecimal digits', byte);
        else if (byte === LF) this.#beginChunk();
        else if (byte === CR) this.#stretch = 'sizeEnd';
        else if (byte === SEMICOLON || byte === SPACE || byte === TAB) this.#stretch = 'extension';
        else throw badChunk('a size in hexadecimal digits', byte);
        return;
      }
      case 'extension':
        this.#countExtra();
        if (byte === LF) this.#beginChunk();
        return;
      case 'sizeEnd':
        if (byte !== LF) throw badChunk('the end of a line', byte);
        this.#beginChunk();
        return;
      case 'chunkEnd':
        if (byte === CR) this.#stretch = 'chunkLineEnd';
        else if (byte === LF) this.#expectChunk();
        else throw badChunk('its end after as many bytes as it said', byte);
        return;
      case 'chunkLineEnd':
        if (byte !== LF) throw badChunk('the end of a line', byte);
        this.#expectChunk();
        return;
      default:
        this.#countExtra();
        if (byte === LF) {
          if (this.#lineBytes === 0) this.#finish();
          this.#lineBytes = 0;
        } else if (byte !== CR) this.#lineBytes += 1;
    }
  }

  #beginChunk() {
    this.#stretch = this.#remaining === 0 ? 'trailers' : 'chunk';
  }

  /** Nobody reads chunk extensions and trailers, and so nobody needs them to be long. */
  #countExtra() {
    this.#extraBytes += 1;
    if (this.#extraBytes > longestHead) {
      throw new BadAnswer('HEAD_TOO_LARGE', `Expected chunk extensions and trailers to take at most ${longestHead} bytes, got more`);
    }
  }
}

/** Every value of the header `name` (in lower case) in `lines`, in order. */
export function headerValues(lines: string, name: string): readonly string[] {
  const values: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const lineEnd = lines.indexOf('\n', at);
    const colon = at + name.length;
    if (lines.charCodeAt(colon) === COLON && lines.slice(at, colon).toLowerCase() === name)
      values.push(lines.slice(colon + 1, lineEnd).trim());
    at = lineEnd + 1;
  }
  return values;
}

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const DIGIT_0 = 48;
const COLON = 58;
const SEMICOLON = 59;
const LOWER_C = 99;
const LOWER_T = 116;

/** Garbage is told apart by its first bytes: who speaks no HTTP may never end a line. */
function checkBeginning(bytes: Buffer, from: number, to: number) {
  const size = Math.min(beginning.length, to - from);
  for (let at = 0; at < size; at += 1) {
    if (bytes[from + at] !== beginning.charCodeAt(at)) throw notHttp('an HTTP/1.1 answer', bytes, from, to);
  }
}
const beginning = 'HTTP/1.';

/** `word` is in lower case. */
function isWord(bytes: Buffer, from: number, to: number, word: string): boolean {
  if (to - from !== word.length) return false;
  for (let at = 0; at < word.length; at += 1) {
    const byte = bytes[from + at] ?? 0;
    const lower = byte >= 65 && byte <= 90 ? byte | 0x20 : byte;
    if (lower !== word.charCodeAt(at)) return false;
  }
  return true;
}

/** A few digits after one space, or -1 for anything else. */
function plainNumber(bytes: Buffer, from: number, to: number): number {
  if (bytes[from] !== SPACE || to - from < 2 || to - from > 16) return -1;
  let number = 0;
  for (let at = from + 1; at < to; at += 1) {
    const value = digit(bytes[at]);
    if (value === -1) return -1;
    number = 10 * number + value;
  }
  return number;
}

function valueAfter(bytes: Buffer, colon: number, to: number): string {
  return bytes.toString('latin1', colon + 1, to).trim();
}

function digit(byte = 0): number {
  const value = byte - DIGIT_0;
  return value >= 0 && value <= 9 ? value : -1;
}

function hexDigit(byte: number): number {
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : digit(byte);
}

function notHttp(expected: string, bytes: Buffer, from: number, to: number): BadAnswer {
  return new BadAnswer('NOT_HTTP', `Expected ${expected}, got '${shortened(bytes.toString('latin1', from, to))}'`);
}

function badChunk(expected: string, byte: number): BadAnswer {
  return new BadAnswer('NOT_HTTP', `Expected a chunk to have ${expected}, got '${shortened(String.fromCharCode(byte))}'`);
}

function shortened(text: string): string {
  const line = text.slice(0, 60).replace(/[^\x20-\x7e]/g, '·');
  return text.length > 60 ? `${line}…` : line;
}
