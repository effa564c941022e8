import type { HttpRequest } from '../transport.ts';

/** A request as it goes over the wire: `text` in latin1, and then `rest`, if there is any. */
export type Wire = { text: string; rest: Uint8Array | undefined; closesConnection: boolean };

/**
 * Writes requests to one host. A frozen headers object is written once, however often it is sent: freeze what is the same in every request.
 * Throws a TypeError for whatever could be read as something else than it says (request smuggling).
 */
export function createRequestWriter(host: string): (request: HttpRequest) => Wire {
  const heads = new WeakMap<object, Head>();

  const headOf = (method: string, headers: Readonly<Record<string, string>>): Head => {
    if (!Object.isFrozen(headers)) return new Head(host, method, headers);
    let head = heads.get(headers);
    if (head?.method !== method) {
      head = new Head(host, method, headers);
      heads.set(headers, head);
    }
    return head;
  };

  return function writeRequest({ method, path, headers = noHeaders, body }) {
    const head = headOf(method, headers);
    const { closesConnection } = head;
    if (body === undefined) return { text: head.withPath(path), rest: undefined, closesConnection };
    const before = head.beforeBody(path);
    if (typeof body !== 'string') return { text: `${before}${body.byteLength}\r\n\r\n`, rest: body, closesConnection };
    const size = Buffer.byteLength(body);
    // As many bytes as characters: ASCII, which may go out in one piece with the head.
    if (size === body.length) return { text: `${before}${size}\r\n\r\n${body}`, rest: undefined, closesConnection };
    return { text: `${before}${size}\r\n\r\n`, rest: Buffer.from(body), closesConnection };
  };
}

const noHeaders = Object.freeze({});

/** What requests with the same method and headers have in common. */
class Head {
  readonly method: string;
  readonly closesConnection: boolean;
  readonly #before: string;
  readonly #after: string;
  readonly #isWithoutLength: boolean;
  #path: string | undefined;
  #text = '';

  constructor(host: string, method: string, headers: Readonly<Record<string, string>>) {
    checkMethod(method);
    let lines = '';
    let namesHost = false;
    let closesConnection = false;
    for (const name in headers) {
      const value = headers[name];
      const lowerName = checkedName(name);
      if (typeof value !== 'string' || !goodValue.test(value)) {
        throw new TypeError(`Expected the header '${name}' to be one line of latin1 text, got ${JSON.stringify(value)}`);
      }
      if (lowerName === 'host') namesHost = true;
      if (lowerName === 'connection' && /\bclose\b/i.test(value)) closesConnection = true;
      lines += `${name}: ${value}\r\n`;
    }
    this.method = method;
    this.closesConnection = closesConnection;
    this.#before = `${method} `;
    this.#after = ` HTTP/1.1\r\n${namesHost ? '' : `host: ${host}\r\n`}${lines}`;
    this.#isWithoutLength = method === 'GET' || method === 'HEAD' || method === 'DELETE' || method === 'OPTIONS';
  }

  /** The whole request, without a body. */
  withPath(path: string): string {
    if (this.#path === undefined || path !== this.#path) {
      checkPath(path);
      this.#text = this.#before + path + this.#after + (this.#isWithoutLength ? '\r\n' : 'content-length: 0\r\n\r\n');
      this.#path = path;
    }
    return this.#text;
  }

  beforeBody(path: string): string {
    checkPath(path);
    return `${this.#before}${path}${this.#after}content-length: `;
  }
}

const token = /^[\w!#$%&'*+.^`|~-]+$/;
const goodValue = /^[\t\x20-\x7e\x80-\xff]*$/;

function checkMethod(method: string) {
  if (plainMethods.has(method)) return;
  if (!token.test(method) || method === 'CONNECT') throw new TypeError(`Expected a method such as 'GET', got ${JSON.stringify(method)}`);
}
const plainMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

function checkPath(path: string) {
  // Journeys run without a type check, and undefined as text would be a path.
  if (typeof path !== 'string' || !/^\/[\x21-\x7e]*$/.test(path)) {
    throw new TypeError(`Expected a path that begins with '/' and has no spaces, such as '/products?page=2', got ${JSON.stringify(path)}`);
  }
}

/** In lower case. */
function checkedName(name: string): string {
  const known = lowerNames.get(name);
  if (known !== undefined) return known;
  if (!token.test(name)) throw new TypeError(`Expected a header's name to be letters, digits and '-', got ${JSON.stringify(name)}`);
  const lower = name.toLowerCase();
  if (lower === 'content-length' || lower === 'transfer-encoding') {
    throw new TypeError(`Expected '${name}' to be left to the transport: it is told by the body`);
  }
  if (lowerNames.size < mostNames) lowerNames.set(name, lower);
  return lower;
}
/** Names come from the source of a scenario, so there are few. */
const mostNames = 1_000;
const lowerNames = new Map<string, string>();
