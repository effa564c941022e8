/** One span as a process of the mall reported it. Times are milliseconds of the run, precise to well under a microsecond. */
export type Span = {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  parentId: string | null;
  /** `service.name`, such as `orders`. */
  service: string;
  /** `service.instance.id`, such as `orders.1`; the service's name where a process names no instance. */
  instance: string;
  name: string;
  /** Producers and consumers, which the mall does not have, count as internal. */
  kind: 'internal' | 'server' | 'client';
  startMs: number;
  endMs: number;
  /** The span's status is ERROR. */
  failed: boolean;
  /** Texts, numbers and truth values; lists, maps and bytes are left out. */
  attributes: Record<string, string | number | boolean>;
  events: readonly SpanEvent[];
  /** W3C trace flags in the low byte; bit 8 says that bit 9, "the parent is remote", is known. */
  flags: number;
};
export type SpanEvent = { name: string; atMs: number };

/**
 * Makes a function that reads the spans out of the bytes of an OTLP `ExportTraceServiceRequest`. `epochMs` is the wall-clock time of
 * millisecond 0 of the run. It throws a `TypeError` for bytes that are not such a message, whatever they are.
 * The decoder remembers short texts it has seen, so that a name that comes a million times is one string.
 * @see https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 */
export function createSpanDecoder({ epochMs }: { epochMs: number }): (request: Uint8Array) => Span[] {
  const epochNs = BigInt(Math.round(epochMs * 1_000)) * 1_000n;
  const reader: Reader = {
    bytes: Buffer.alloc(0),
    at: 0,
    epochHigh: Number(epochNs >> 32n),
    epochLow: Number(epochNs & 0xffff_ffffn),
    texts: new Array<string>(textSlots).fill(''),
  };
  return function decodeSpans(request) {
    reader.bytes = Buffer.from(request.buffer, request.byteOffset, request.byteLength);
    reader.at = 0;
    const spans: Span[] = [];
    readRequest(reader, spans);
    return spans;
  };
}

/** `epochHigh` and `epochLow` are the two halves of the epoch's 64 bits of nanoseconds: differences to it fit a number exactly. */
type Reader = { bytes: Buffer; at: number; epochHigh: number; epochLow: number; texts: string[] };
type Resource = { service: string; instance: string };

// A tag is the number of a field times 8 plus its wire type: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes.

function readRequest(reader: Reader, spans: Span[]): void {
  const end = reader.bytes.length;
  while (reader.at < end) {
    const tag = readVarint(reader);
    if (tag === 0x0a) readResourceSpans(reader, readEnd(reader, end), spans);
    else skip(reader, tag, end);
  }
}

function readResourceSpans(reader: Reader, end: number, spans: Span[]): void {
  const start = reader.at;
  // Fields may come in any order: first the resource, then the spans that it made.
  const resource: Resource = { service: '', instance: '' };
  while (reader.at < end) {
    const tag = readVarint(reader);
    if (tag === 0x0a) readResource(reader, readEnd(reader, end), resource);
    else skip(reader, tag, end);
  }
  expectEnd(reader, end);
  if (resource.instance === '') resource.instance = resource.service;
  reader.at = start;
  while (reader.at < end) {
    const tag = readVarint(reader);
    if (tag === 0x12) readScopeSpans(reader, readEnd(reader, end), resource, spans);
    else skip(reader, tag, end);
  }
  expectEnd(reader, end);
}

function readResource(reader: Reader, end: number, resource: Resource): void {
  const attributes: Span['attributes'] = {};
  while (reader.at < end) {
    const tag = readVarint(reader);
    if (tag === 0x0a) readAttribute(reader, readEnd(reader, end), attributes);
    else skip(reader, tag, end);
  }
  expectEnd(reader, end);
  resource.service = String(attributes['service.name'] ?? 'unknown');
  resource.instance = String(attributes['service.instance.id'] ?? '');
}

function readScopeSpans(reader: Reader, end: number, resource: Resource, spans: Span[]): void {
  while (reader.at < end) {
    const tag = readVarint(reader);
    if (tag === 0x12) spans.push(readSpan(reader, readEnd(reader, end), resource));
    else skip(reader, tag, end);
  }
  expectEnd(reader, end);
}

function readSpan(reader: Reader, end: number, { service, instance }: Resource): Span {
  let traceId = '';
  let spanId = '';
  let parentId: string | null = null;
  let name = '';
  let kind = 0;
  let startMs = 0;
  let endMs = 0;
  let failed = false;
  let flags = 0;
  let events: SpanEvent[] | undefined;
  const attributes: Span['attributes'] = {};
  while (reader.at < end) {
    const tag = readVarint(reader);
    switch (tag) {
      case 0x0a:
        traceId = readId(reader, readEnd(reader, end), 16);
        break;
      case 0x12:
        spanId = readId(reader, readEnd(reader, end), 8);
        break;
      case 0x22: {
        const idEnd = readEnd(reader, end);
        parentId = idEnd === reader.at ? null : readId(reader, idEnd, 8);
        break;
      }
      case 0x2a:
        name = readText(reader, readEnd(reader, end));
        break;
      case 0x30:
        kind = readVarint(reader);
        break;
      case 0x39:
        startMs = readTimeMs(reader);
        break;
      case 0x41:
        endMs = readTimeMs(reader);
        break;
      case 0x4a:
        readAttribute(reader, readEnd(reader, end), attributes);
        break;
      case 0x5a:
        events ??= [];
        events.push(readEvent(reader, readEnd(reader, end)));
        break;
      case 0x7a:
        failed = readStatusCode(reader, readEnd(reader, end)) === 2;
        break;
      case 0x85:
        flags = readFixed32(reader);
        break;
      default:
        skip(reader, tag, end);
    }
  }
  expectEnd(reader, end);
  if (traceId === '' || spanId === '') throw malformed(reader, 'a span without its id or its trace id');
  return {
    traceId,
    spanId,
    parentId,
    service,
    instance,
    name,
    kind: kind === 2 ? 'server' : kind === 3 ? 'client' : 'internal',
    startMs,
    endMs,
    failed,
    attributes,
    events: events ?? noEvents,
    flags,
  };
}

/** Most spans have no events: they share one empty list. */
const noEvents: readonly SpanEvent[] = [];

function readEvent(reader: Reader, end: number): SpanEvent {
  let name = '';
  let atMs = 0;
  while (reader.at < end) {
    const tag = readVarint(reader);
    if (tag === 0x09) atMs = readTimeMs(reader);
    else if (tag === 0x12) name = readText(reader, readEnd(reader, end));
    else skip(reader, tag, end);
  }
  expectEnd(reader, end);
  return { name, atMs };
}

function readStatusCode(reader: Reader, end: number): number {
  let code = 0;
  while (reader.at < end) {
    const tag = readVarint(reader);
    if (tag === 0x18) code = readVarint(reader);
    else skip(reader, tag, end);
  }
  expectEnd(reader, end);
  return code;
}

function readAttribute(reader: Reader, end: number, attributes: Span['attributes']): void {
  let key = '';
  let value: string | number | boolean | undefined;
  while (reader.at < end) {
    const tag = readVarint(reader);
    if (tag === 0x0a) key = readText(reader, readEnd(reader, end));
    else if (tag === 0x12) value = readValue(reader, readEnd(reader, end));
    else skip(reader, tag, end);
  }
  expectEnd(reader, end);
  if (value !== undefined) attributes[key] = value;
}

function readValue(reader: Reader, end: number): string | number | boolean | undefined {
  let value: string | number | boolean | undefined;
  while (reader.at < end) {
    const tag = readVarint(reader);
    if (tag === 0x0a) value = readText(reader, readEnd(reader, end));
    else if (tag === 0x10) value = readVarint(reader) !== 0;
    else if (tag === 0x18) value = readInt64(reader);
    else if (tag === 0x21) value = readDouble(reader);
    else skip(reader, tag, end);
  }
  expectEnd(reader, end);
  return value;
}

/** Where the block that begins here ends. */
function readEnd(reader: Reader, limit: number): number {
  const length = readVarint(reader);
  const end = reader.at + length;
  if (end > limit) throw malformed(reader, `a block of ${length} bytes where ${limit - reader.at} are left`);
  return end;
}

/** Exact up to 2⁵³, which is more than any length, tag or enumeration needs. */
function readVarint(reader: Reader): number {
  const { bytes } = reader;
  let value = 0;
  let scale = 1;
  for (let length = 0; length < 10; length++) {
    const byte = bytes[reader.at];
    if (byte === undefined) throw malformed(reader, 'the end of the message inside a number');
    reader.at++;
    if (byte < 0x80) return value + byte * scale;
    value += (byte & 0x7f) * scale;
    scale *= 128;
  }
  throw malformed(reader, 'a number of more than ten bytes');
}

function readInt64(reader: Reader): number {
  const start = reader.at;
  const value = readVarint(reader);
  if (value < 2 ** 63) return value;
  let exact = 0n;
  for (let at = reader.at - 1; at >= start; at--) exact = (exact << 7n) | BigInt((reader.bytes[at] ?? 0) & 0x7f);
  return Number(BigInt.asIntN(64, exact));
}

function readDouble(reader: Reader): number {
  advance(reader, 8);
  return reader.bytes.readDoubleLE(reader.at - 8);
}

function readFixed32(reader: Reader): number {
  advance(reader, 4);
  return reader.bytes.readUInt32LE(reader.at - 4);
}

function readTimeMs(reader: Reader): number {
  const low = readFixed32(reader) - reader.epochLow;
  const high = readFixed32(reader) - reader.epochHigh;
  return (high * 2 ** 32 + low) / 1e6;
}

function readId(reader: Reader, end: number, expectedBytes: number): string {
  const start = reader.at;
  if (end - start !== expectedBytes) throw malformed(reader, `an id of ${end - start} bytes where ${expectedBytes} were expected`);
  reader.at = end;
  return reader.bytes.toString('hex', start, end);
}

const textSlots = 4_096;
const longestShortText = 64;

/** Looks a short ASCII text up by its bytes before it makes a string of them: that is faster, and equal texts share their memory. */
function readText(reader: Reader, end: number): string {
  const { bytes, texts, at: start } = reader;
  reader.at = end;
  const length = end - start;
  if (length > longestShortText) return bytes.toString('utf8', start, end);
  let hash = length;
  let allBits = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    hash = (Math.imul(hash, 31) + byte) | 0;
    allBits |= byte;
  }
  if (allBits > 0x7f) return bytes.toString('utf8', start, end);
  const slot = (hash ^ (hash >>> 15)) & (textSlots - 1);
  const known = texts[slot] ?? '';
  if (isAt(known, bytes, start, length)) return known;
  const text = bytes.toString('latin1', start, end);
  texts[slot] = text;
  return text;
}

function isAt(text: string, bytes: Buffer, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) if (text.charCodeAt(index) !== bytes[start + index]) return false;
  return true;
}

function skip(reader: Reader, tag: number, end: number): void {
  if (tag < 8) throw malformed(reader, `the field number 0`);
  switch (tag % 8) {
    case 0:
      readVarint(reader);
      break;
    case 1:
      advance(reader, 8);
      break;
    case 2:
      reader.at = readEnd(reader, end);
      break;
    case 5:
      advance(reader, 4);
      break;
    default:
      throw malformed(reader, `the wire type ${tag % 8}`);
  }
}

function advance(reader: Reader, bytes: number): void {
  reader.at += bytes;
  if (reader.at > reader.bytes.length) throw malformed(reader, 'the end of the message inside a field');
}

function expectEnd(reader: Reader, end: number): void {
  if (reader.at !== end) throw malformed(reader, `a field that reaches ${reader.at - end} bytes beyond its block`);
}

const malformed = ({ at }: Reader, found: string) => new TypeError(`Expected an OTLP trace export, got ${found} at byte ${at}`);
