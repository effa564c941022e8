import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Answer, BadAnswer, headerValues, longestHead, longestText } from '../../../../../harness/drivers/http/answer.ts';

type Told = { status: number; text: string; keepsConnection: boolean; rest: string } | { code: string };

test.each<[what: string, bytes: string, told: Partial<Told>]>([
  ['a counted body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', { status: 200, text: 'hello', keepsConnection: true }],
  ['an empty body', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', { status: 200, text: '', keepsConnection: true }],
  ['no reason phrase', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi', { status: 200, text: 'hi' }],
  ['an empty reason phrase', 'HTTP/1.1 404 \r\ncontent-length: 2\r\n\r\nhi', { status: 404, text: 'hi' }],
  ['bare line feeds', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nhi', { status: 200, text: 'hi' }],
  ['space around a value', 'HTTP/1.1 200 OK\r\ncontent-length: \t 2 \t\r\n\r\nhi', { text: 'hi' }],
  ['no space before a value', 'HTTP/1.1 200 OK\r\nCONTENT-LENGTH:2\r\n\r\nhi', { text: 'hi' }],
  ['the same length twice', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2, 2\r\n\r\nhi', { text: 'hi' }],
  ['another header of the same size', 'HTTP/1.1 200 OK\r\ncontent-langth: 9\r\ncontent-length: 2\r\n\r\nhi', { text: 'hi' }],
  [
    'chunks',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n',
    { text: 'abc0123456789', keepsConnection: true },
  ],
  [
    'chunks with extensions and trailers',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;a="b;c"\r\nabc\r\n02 ; x\r\nde\r\n0;last\r\nexpires: never\r\nx: y\r\n\r\n',
    { text: 'abcde', rest: '' },
  ],
  ['chunks with bare line feeds', 'HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n3\nabc\n0\n\n', { text: 'abc' }],
  ['chunks after another coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n1\r\n.\r\n0\r\n\r\n', { text: '.' }],
  [
    'a coding without chunks, until the end',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nall there is',
    { text: 'all there is', keepsConnection: false },
  ],
  [
    'chunks and a length, of which chunks count',
    'HTTP/1.1 200 OK\r\ncontent-length: 100\r\ntransfer-encoding: chunked\r\n\r\n1\r\n.\r\n0\r\n\r\n',
    { text: '.', keepsConnection: false },
  ],
  ['a body until the end', 'HTTP/1.1 200 OK\r\n\r\nall there is', { text: 'all there is', keepsConnection: false }],
  ['nothing until the end', 'HTTP/1.1 200 OK\r\n\r\n', { text: '', keepsConnection: false }],
  ['204 without a body', 'HTTP/1.1 204 No Content\r\n\r\n', { status: 204, text: '', keepsConnection: true }],
  [
    '304 with the length of what it does not send',
    'HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n',
    { status: 304, text: '', keepsConnection: true },
  ],
  [
    '101, after which another protocol is spoken',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n',
    { status: 101, keepsConnection: false },
  ],
  [
    '100 before the answer',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nhi',
    { status: 201, text: 'hi' },
  ],
  [
    '103 and 102 before the answer',
    'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nconnection: close\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
    { status: 200, keepsConnection: true },
  ],
  ['connection: close', 'HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 0\r\n\r\n', { keepsConnection: false }],
  ['connection: close among others', 'HTTP/1.1 200 OK\r\nconnection: x, close ,y\r\ncontent-length: 0\r\n\r\n', { keepsConnection: false }],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi', { text: 'hi', keepsConnection: false }],
  [
    'HTTP/1.0 that stays',
    'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi',
    { text: 'hi', keepsConnection: true },
  ],
  [
    'more than one answer',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n',
    { text: 'hi', rest: 'HTTP/1.1 200 OK\r\n' },
  ],
  ['more after chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nx', { text: '', rest: 'x' }],
  ['text that is not ASCII', 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n\u00e2\u0082\u00ac\u00c3\u00a9!', { text: '€é!' }],
  ['a header that goes on in the next line', 'HTTP/1.1 200 OK\r\nx: a\r\n  b\r\ncontent-length: 0\r\n\r\n', { status: 200 }],
  ['an empty header', 'HTTP/1.1 200 OK\r\nx:\r\ncontent-length: 0\r\n\r\n', { status: 200 }],

  ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n', { code: 'NOT_HTTP' }],
  ['another protocol that ends no line', 'SSH', { code: 'NOT_HTTP' }],
  ['TLS', '\x15\x03\x01\x00\x02\x02\x46', { code: 'NOT_HTTP' }],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n', { code: 'NOT_HTTP' }],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n', { code: 'NOT_HTTP' }],
  ['lower case', 'http/1.1 200 OK\r\n\r\n', { code: 'NOT_HTTP' }],
  ['a status of two digits', 'HTTP/1.1 20\r\n\r\n', { code: 'NOT_HTTP' }],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', { code: 'NOT_HTTP' }],
  ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n', { code: 'NOT_HTTP' }],
  ['an empty line first', '\r\nHTTP/1.1 200 OK\r\n\r\n', { code: 'NOT_HTTP' }],
  ['a header without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n', { code: 'NOT_HTTP' }],
  ['a header without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n', { code: 'NOT_HTTP' }],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nhi', { code: 'NOT_HTTP' }],
  ['a continuation of nothing', 'HTTP/1.1 200 OK\r\n x: y\r\n\r\n', { code: 'NOT_HTTP' }],
  ['a length that goes on', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n 0\r\n\r\n', { code: 'NOT_HTTP' }],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc', { code: 'NOT_HTTP' }],
  ['two lengths in one line', 'HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nabc', { code: 'NOT_HTTP' }],
  ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nabc', { code: 'NOT_HTTP' }],
  ['a length in words', 'HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nabc', { code: 'NOT_HTTP' }],
  ['a length beyond all bounds', 'HTTP/1.1 200 OK\r\ncontent-length: 9999999999999999\r\n\r\nabc', { code: 'NOT_HTTP' }],
  ['an empty length', 'HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\nabc', { code: 'NOT_HTTP' }],
  ['chunked twice', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', { code: 'NOT_HTTP' }],
  ['a chunk without a size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\nabc', { code: 'NOT_HTTP' }],
  ['a chunk with a size in words', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3x\r\nabc', { code: 'NOT_HTTP' }],
  ['a chunk beyond all sizes', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${'f'.repeat(13)}\r\n`, { code: 'NOT_HTTP' }],
  ['a chunk that is longer than it said', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n', { code: 'NOT_HTTP' }],
  ['headers without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(longestHead)}`, { code: 'HEAD_TOO_LARGE' }],
  ['a hundred thousand headers', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(100_000)}\r\n`, { code: 'HEAD_TOO_LARGE' }],
  [
    'trailers without end',
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ${'y'.repeat(longestHead)}`,
    { code: 'HEAD_TOO_LARGE' },
  ],

  ['an end before the answer', '', { code: 'ECONNRESET' }],
  ['an end within the first line', 'HTT', { code: 'ECONNRESET' }],
  ['an end within the headers', 'HTTP/1.1 200 OK\r\nx: y\r\n', { code: 'ECONNRESET' }],
  ['an end after an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n', { code: 'ECONNRESET' }],
  ['an end within a counted body', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell', { code: 'ECONNRESET' }],
  ['an end within a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab', { code: 'ECONNRESET' }],
  ['an end before the last chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n', { code: 'ECONNRESET' }],
  ['an end within the trailers', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n', { code: 'ECONNRESET' }],
])('reads %s', (_what, bytes, told) => {
  expect(read([bytes])).toMatchObject(told);
});

test.each([0, 5, 100])('an answer to HEAD has no body, whatever length it tells: %i', (length) => {
  const answer = new Answer();
  answer.begin(true, true);
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`);
  expect(answer.read(bytes, 0, bytes.length)).toBe(bytes.length);
  expect(answer).toMatchObject({ isWhole: true, status: 200, text: '', keepsConnection: true });
});

test('says what was wrong', () => {
  const answer = new Answer();
  answer.begin(false, true);
  const bytes = Buffer.from('SSH-2.0-OpenSSH_9.6\r\n');
  expect(() => answer.read(bytes, 0, bytes.length)).toThrow(
    new BadAnswer('NOT_HTTP', "Expected an HTTP/1.1 answer, got 'SSH-2.0-OpenSSH_9.6··'"),
  );
});

test('reads one answer after the other, and forgets the one before', () => {
  const answer = new Answer();
  const bytes = Buffer.from(
    'HTTP/1.0 500 Oh\r\nconnection: close\r\ncontent-length: 2\r\nx: 1\r\n\r\nnoHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
  );
  answer.begin(false, true);
  const end = answer.read(bytes, 0, bytes.length);
  expect(answer).toMatchObject({ status: 500, text: 'no', keepsConnection: false });
  answer.begin(false, true);
  expect(answer.read(bytes, end, bytes.length)).toBe(bytes.length);
  expect(answer).toMatchObject({ isWhole: true, status: 200, text: 'hi', keepsConnection: true });
  expect(headerValues(answer.headerLines, 'x')).toEqual([]);
});

test.each<[status: number, text: string]>([
  [200, ''],
  [409, 'hi'],
])('keeps the body of the statuses that were asked for: %i', (status, text) => {
  const answer = new Answer();
  answer.begin(false, (asked) => asked === 409);
  const bytes = Buffer.from(`HTTP/1.1 ${status} X\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`);
  answer.read(bytes, 0, bytes.length);
  expect(answer).toMatchObject({ isWhole: true, status, text });
});

test.each([
  ['counted', (body: string) => `content-length: ${body.length}\r\n\r\n${body}`],
  ['chunked', (body: string) => `transfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`],
])('keeps a bounded beginning of a %s body, and says so', (_how, framed) => {
  for (const [size, isCut] of [
    [longestText, false],
    [longestText + 1, true],
  ] as const) {
    const answer = new Answer();
    answer.begin(false, true);
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\n${framed('x'.repeat(size))}`);
    for (let at = 0; at < bytes.length; at += 65_536) answer.read(bytes, at, Math.min(at + 65_536, bytes.length));
    expect(answer).toMatchObject({ isWhole: true, isCut });
    expect(answer.text.length).toBe(longestText);
  }
});

test('bounds hold for each answer, not for all of a connection', () => {
  const answer = new Answer();
  const read = (body: string) => {
    answer.begin(false, true);
    const size = body.length.toString(16);
    const bytes = Buffer.from(
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${size};${'x'.repeat(longestHead / 2)}\r\n${body}\r\n0\r\n\r\n`,
    );
    answer.read(bytes, 0, bytes.length);
    expect(answer.isWhole).toBe(true);
  };
  read('x'.repeat(longestText + 1));
  expect(answer.isCut).toBe(true);
  for (let times = 0; times < 3; times += 1) {
    read('y'.repeat(longestText / 2 + 1));
    expect(answer).toMatchObject({ isCut: false, text: 'y'.repeat(longestText / 2 + 1) });
  }
});

test('finds headers by name in any case, all values in order', () => {
  const lines =
    'HTTP/1.1 200 OK\r\nSet-Cookie: a=1; path=/\r\nX-Empty:\r\nset-cookie:  b=2\t\r\nX-Long: one\n two\r\nX-Colons: a:b\r\n\r\n';
  const answer = new Answer();
  answer.begin(true, false);
  answer.read(Buffer.from(lines, 'latin1'), 0, lines.length);
  expect(headerValues(answer.headerLines, 'set-cookie')).toEqual(['a=1; path=/', 'b=2']);
  expect(headerValues(answer.headerLines, 'x-empty')).toEqual(['']);
  expect(headerValues(answer.headerLines, 'x-long')).toEqual(['one two']);
  expect(headerValues(answer.headerLines, 'x-colons')).toEqual(['a:b']);
  expect(headerValues(answer.headerLines, 'cookie')).toEqual([]);
  expect(headerValues(answer.headerLines, 'http/1.1 200 ok')).toEqual([]);
});

test('cut the bytes anywhere, and the answer is the same', () => {
  fc.assert(
    fc.property(anyAnswer, fc.array(fc.nat({ max: 400 }), { maxLength: 12 }), (bytes, cuts) => {
      const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((one, other) => one - other), bytes.length];
      const pieces = places.slice(1).map((place, index) => bytes.slice(places[index], place));
      const whole = read([bytes]);
      expect(read(pieces)).toEqual(whole);
      expect(read([...bytes])).toEqual(whole);
    }),
    { numRuns: 300 },
  );
});

test('a good answer says what was put in, wherever it was cut', () => {
  fc.assert(
    fc.property(anyGoodAnswer, fc.nat(), ({ bytes, status, body }, cut) => {
      const at = cut % (bytes.length + 1);
      expect(read([bytes.slice(0, at), bytes.slice(at)])).toMatchObject({ status, text: body });
    }),
  );
});

test('whatever comes, it is either an answer or a BadAnswer', () => {
  const bits = fc.constantFrom(
    'HTTP/1.1 ',
    '200',
    ' OK',
    '\r\n',
    '\n',
    '\r',
    'content-length',
    ': ',
    ':',
    '3',
    'transfer-encoding: chunked',
    ';',
    ' ',
    'f',
    'abc',
    '0',
    ',',
  );
  fc.assert(fc.property(fc.array(bits, { maxLength: 40 }), (parts) => void read([`HTTP/1.1 200 OK\r\n${parts.join('')}`])));
});

const anyLine = fc
  .stringMatching(/^[a-z][a-z-]{0,8}:[ -~]{0,20}$/)
  .filter((line) => !/^(content-length|connection|transfer-encoding)/.test(line));
const anyBody = fc.stringMatching(/^[ -~\r\n]{0,40}$/);
const anyFraming = fc.constantFrom<(body: string) => string>(
  (body) => `Content-Length: ${body.length}\r\n\r\n${body}`,
  (body) => `transfer-encoding: chunked\r\n\r\n${body === '' ? '' : `${body.length.toString(16)};x\r\n${body}\r\n`}0\r\na: b\r\n\r\n`,
  (body) => `\r\n${body}`,
);
const anyGoodAnswer = fc
  .record({
    interim: fc.boolean(),
    status: fc.integer({ min: 200, max: 999 }).filter((status) => status !== 204 && status !== 304),
    lines: fc.array(anyLine, { maxLength: 5 }),
    body: anyBody,
    framing: anyFraming,
  })
  .map(({ interim, status, lines, body, framing }) => ({
    status,
    body,
    bytes: `${interim ? 'HTTP/1.1 103 Early\r\nlink: x\r\n\r\n' : ''}HTTP/1.1 ${status} Why\r\n${lines.map((line) => `${line}\r\n`).join('')}${framing(body)}`,
  }));
/** Good ones, and such as were hurt in one place. */
const anyAnswer = fc
  .tuple(anyGoodAnswer, fc.option(fc.tuple(fc.nat(), fc.constantFrom('', '\r', '\n', ' ', ':', 'x', '9'))))
  .map(([{ bytes }, hurt]) => {
    if (hurt === null) return bytes;
    const at = hurt[0] % bytes.length;
    return bytes.slice(0, at) + hurt[1] + bytes.slice(at + 1);
  });

/** Reads pieces of latin1 through one buffer that is overwritten each time, as sockets do it, and then the end. */
function read(pieces: readonly string[]): Told {
  const answer = new Answer();
  answer.begin(false, true);
  let rest = '';
  try {
    for (const piece of pieces) {
      const size = buffer.write(piece, 'latin1');
      const end = answer.read(buffer, 0, size);
      rest += buffer.toString('latin1', end, size);
      buffer.fill('?', 0, size);
    }
    answer.readEnd();
  } catch (error) {
    if (!(error instanceof BadAnswer)) throw error;
    return { code: error.code };
  }
  const { status, text, keepsConnection, headerLines } = answer;
  return { status, text, keepsConnection, rest, headerLines } as Told;
}
const buffer = Buffer.alloc(1_000_000);
