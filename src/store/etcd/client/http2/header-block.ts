import { BrokenHttp2 } from './frame-reader.js';
import { readHuffman } from './huffman.js';

export type Headers = ReadonlyMap<string, string>;

/** Names and values of the static table from index 1 on (RFC 7541, appendix A). */
const STATIC: readonly string[] = [
  ':authority',
  ':method GET',
  ':method POST',
  ':path /',
  ':path /index.html',
  ':scheme http',
  ':scheme https',
  ...[200, 204, 206, 304, 400, 404, 500].map((status) => `:status ${status}`),
  ...'accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept'.split('|'),
  ...'access-control-allow-origin age allow authorization cache-control content-disposition'.split(' '),
  ...'content-encoding content-language content-length content-location content-range content-type'.split(' '),
  ...'cookie date etag expect expires from host if-match if-modified-since if-none-match if-range'.split(' '),
  ...'if-unmodified-since last-modified link location max-forwards proxy-authenticate'.split(' '),
  ...'proxy-authorization range referer refresh retry-after server set-cookie'.split(' '),
  ...'strict-transport-security transfer-encoding user-agent vary via www-authenticate'.split(' '),
];
const INDEX = { path: 4, authority: 1, post: 3, http: 6, https: 7 };

/** Forms of a field: the bits that say so, and those of the number that begins in the same byte (RFC 7541, 6). */
const FORM = { indexed: 0x80, remembered: 0x40, resize: 0x20 } as const;

/** Of an index, or of the bytes of a text: far more than a block can have. */
const LARGEST_NUMBER = 2 ** 24;

/** What a request of gRPC says first. */
export interface RequestStart {
  readonly isSecure: boolean;
  /** Host and port. */
  readonly authority: string;
  readonly path: string;
}

/** The headers of a request that is posted, without Huffman codes and without any index of the connection. No errors. */
export function writeRequest(start: RequestStart, headers: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat([
    Buffer.from([FORM.indexed | INDEX.post, FORM.indexed | (start.isSecure ? INDEX.https : INDEX.http), INDEX.path]),
    text(start.path),
    Buffer.from([INDEX.authority]),
    text(start.authority),
    ...Object.entries(headers).map(([name, value]) => writeHeader(name, value)),
  ]);
}

/** One more header, to follow those of a request. No errors. */
export function writeHeader(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([number(bytes.length, 7), bytes]);
}

function number(value: number, bits: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

/**
 * Reads the headers of one block. The connection allows no dynamic table, so that a block means the same wherever it stands.
 * Of headers with one name the last one counts.
 * @throws BrokenHttp2 when it is none, or refers to a dynamic table
 */
export function readHeaders(block: Buffer): Headers {
  return new BlockReader(block).read();
}

class BlockReader {
  #at = 0;

  constructor(private readonly block: Buffer) {}

  read(): Headers {
    const headers = new Map<string, string>();
    while (this.#at < this.block.length) {
      const form = this.block[this.#at]!;
      if (form >= FORM.indexed) headers.set(...this.#entry(this.#number(7)));
      else if (form >= FORM.remembered) headers.set(...this.#literal(6));
      else if (form < FORM.resize) headers.set(...this.#literal(4));
      else if (this.#number(5) > 0) throw new BrokenHttp2('a dynamic table, which was not allowed');
    }
    return headers;
  }

  #entry(index: number): [string, string] {
    const entry = STATIC[index - 1];
    if (entry === undefined) throw new BrokenHttp2(`header ${index} of a table that does not exist`);
    const [name = '', ...value] = entry.split(' ');
    return [name, value.join(' ')];
  }

  #literal(bits: number): [string, string] {
    const index = this.#number(bits);
    const name = index === 0 ? this.#text() : this.#entry(index)[0];
    return [name, this.#text()];
  }

  #text(): string {
    const isHuffman = (this.block[this.#at] ?? 0) >= 0x80;
    const length = this.#number(7);
    const end = this.#at + length;
    if (end > this.block.length) throw new BrokenHttp2('a header that is cut off');
    const bytes = this.block.subarray(this.#at, end);
    this.#at = end;
    return isHuffman ? readHuffman(bytes) : bytes.toString('latin1');
  }

  /** A number that begins in the last `bits` bits of the present byte. */
  #number(bits: number): number {
    const most = 2 ** bits - 1;
    let value = this.#byte() & most;
    if (value < most) return value;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * factor;
      if (value > LARGEST_NUMBER || factor > LARGEST_NUMBER)
        throw new BrokenHttp2('a number of a header that is too large');
      if (byte < 128) return value;
    }
  }

  #byte(): number {
    const byte = this.block[this.#at++];
    if (byte === undefined) throw new BrokenHttp2('a header that is cut off');
    return byte;
  }
}
