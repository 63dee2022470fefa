/** One way of sending two requests as if they were one, or one as if it were two. */
export interface Shape {
  readonly what: string;
  /** @param hidden a whole request that must never be executed */
  readonly bytes: (thing: string, hidden: string) => string;
  /** The status of each answer, in order. Then the server closes the connection. */
  readonly answers: readonly number[];
}

const HOST = 'Host: 127.0.0.1\r\n';
/** Ends the connection of a shape that is served. */
const LAST = `GET /health/live HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;
const LIVE = `GET /health/live HTTP/1.1\r\n${HOST}\r\n`;
const UPDATE = '{"state":{"reported":{"a":1}}}';

/** A request that changes the shadow of `thing`. */
export const update = (thing: string): string => post(thing, `Content-Length: ${UPDATE.length}\r\n`) + UPDATE;
const post = (thing: string, headers: string): string =>
  `POST /things/${thing}/shadow HTTP/1.1\r\n${HOST}${headers}\r\n`;
const chunk = (data: string): string => `${data.length.toString(16)}\r\n${data}\r\n`;
const END = '0\r\n\r\n';

/** Headers that must not be understood as a length: with any meaning of them, another server sees another request. */
const refusedHeaders = (what: string, headers: string): Shape => ({
  what,
  bytes: (thing, hidden) => post(thing, headers) + END + hidden,
  answers: [400],
});
/** Chunks that are none; the hidden request follows where a careless reader would look for the next one. */
const refusedChunks = (what: string, chunks: (hidden: string) => string, status = 400): Shape => ({
  what,
  bytes: (thing, hidden) => post(thing, 'Transfer-Encoding: chunked\r\n') + chunks(hidden),
  answers: [status],
});
/** A body that ends where its length says, with the hidden request in it: it is no JSON. */
const framed = (what: string, headers: (length: number) => string, body = (hidden: string) => hidden): Shape => ({
  what,
  bytes: (thing, hidden) => post(thing, headers(hidden.length)) + body(hidden) + LAST,
  answers: [400, 200],
});
const chunked = (what: string, body: (hidden: string) => string, headers = 'Transfer-Encoding: chunked\r\n'): Shape =>
  framed(what, () => headers, body);
const raw = (what: string, bytes: Shape['bytes'], ...answers: number[]): Shape => ({ what, bytes, answers });

const LENGTHS: readonly Shape[] = [
  refusedHeaders('a length, then chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'),
  refusedHeaders('chunks, then a length', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'),
  refusedHeaders('chunks and the length 0', 'Transfer-Encoding: chunked\r\nContent-Length: 0\r\n'),
  refusedHeaders('two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n'),
  refusedHeaders('the same length twice', 'Content-Length: 5\r\nContent-Length: 5\r\n'),
  refusedHeaders('two lengths in one header', 'Content-Length: 5, 5\r\n'),
  refusedHeaders('two lengths with a space', 'Content-Length: 5 5\r\n'),
  refusedHeaders('a length with a plus sign', 'Content-Length: +5\r\n'),
  refusedHeaders('a negative length', 'Content-Length: -5\r\n'),
  refusedHeaders('a length in hex', 'Content-Length: 0x5\r\n'),
  refusedHeaders('a length with a point', 'Content-Length: 5.0\r\n'),
  refusedHeaders('a length with an exponent', 'Content-Length: 5e0\r\n'),
  refusedHeaders('a length of 2^64 and 5', 'Content-Length: 18446744073709551621\r\n'),
  refusedHeaders('an empty length', 'Content-Length:\r\n'),
  refusedHeaders('a length with a space before the colon', 'Content-Length : 5\r\n'),
  refusedHeaders('a length on a folded line', 'Content-Length:\r\n 5\r\n'),
  refusedHeaders('a length with NUL in its name', 'Content-Length\0: 5\r\n'),
  refusedHeaders('a length with a vertical tab', 'Content-Length:\x0b5\r\n'),
  refusedHeaders('a length with a tab behind', 'Content-Length: 5\t\r\n'),
  framed('a length with zeros in front', (length) => `Content-Length: 000${length}\r\n`),
  framed('a length beside a header that only looks like chunks', (length) => {
    return `Transfer_Encoding: chunked\r\nContent-Length: ${length}\r\n`;
  }),
  framed('a length and Expect', (length) => `Expect: 100-continue\r\nContent-Length: ${length}\r\n`),
];

const ENCODINGS: readonly Shape[] = [
  ...[
    'xchunked',
    'chunked, identity',
    'chunked;q=1',
    '"chunked"',
    'chunk\0ed',
    '\x0bchunked',
    '\u00a0chunked',
    'identity',
    'gzip',
    'chunkedx',
    'chunked,',
  ].map((value) => refusedHeaders(`the encoding ${JSON.stringify(value)}`, `Transfer-Encoding: ${value}\r\n`)),
  refusedHeaders('an encoding on a folded line', 'Transfer-Encoding:\r\n chunked\r\n'),
  refusedHeaders('an encoding as the fold of another header', 'X-A: b\r\n Transfer-Encoding: chunked\r\n'),
  refusedHeaders('an encoding with a space before the colon', 'Transfer-Encoding : chunked\r\n'),
  refusedHeaders('an encoding after a bare line feed', 'X-A: b\nTransfer-Encoding: chunked\r\n'),
  refusedHeaders('an encoding after a bare carriage return', 'X-A: b\rTransfer-Encoding: chunked\r\n'),
  refusedHeaders('chunks, then identity', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n'),
  chunked('chunks in capitals', (hidden) => chunk(hidden) + END, 'TRANSFER-ENCODING: CHUNKED\r\n'),
  chunked('chunks after a tab', (hidden) => chunk(hidden) + END, 'Transfer-Encoding:\tchunked\r\n'),
];

const CHUNKS: readonly Shape[] = [
  refusedChunks('a chunk size with 0x', (hidden) => `0x5\r\nabcde\r\n${END}${hidden}`),
  refusedChunks('a negative chunk size', (hidden) => `-5\r\nabcde\r\n${END}${hidden}`),
  refusedChunks('a chunk size with a plus sign', (hidden) => `+5\r\nabcde\r\n${END}${hidden}`),
  refusedChunks('a chunk size behind a space', (hidden) => ` 5\r\nabcde\r\n${END}${hidden}`),
  refusedChunks('a chunk size before a space', (hidden) => `5 \r\nabcde\r\n${END}${hidden}`),
  refusedChunks('a chunk size of 2^64 and 5', (hidden) => `10000000000000005\r\nabcde\r\n${END}${hidden}`),
  refusedChunks('no chunk size', (hidden) => `\r\nabcde\r\n${END}${hidden}`),
  refusedChunks('a chunk size that is none', (hidden) => `z\r\nabcde\r\n${END}${hidden}`),
  refusedChunks('a chunk longer than its size', (hidden) => `3\r\nabcde\r\n${END}${hidden}`),
  refusedChunks('a chunk that ends with a bare line feed', (hidden) => `5\r\nabcde\n${END}${hidden}`),
  refusedChunks('a chunk size that ends with a bare line feed', (hidden) => `5\nabcde\r\n${END}${hidden}`),
  refusedChunks('a chunk size that ends with a bare carriage return', (hidden) => `5\rabcde\r\n${END}${hidden}`),
  refusedChunks('a bare line feed in a chunk extension', (hidden) => `5;a\nabcde\r\n${END}${hidden}`),
  refusedChunks('17 KB of chunk extensions', (hidden) => `5;${'a'.repeat(17_000)}\r\nabcde\r\n${END}${hidden}`, 413),
  refusedChunks('a last chunk without its end', (hidden) => `0\r\n${hidden}`),
  refusedChunks('a last chunk that ends with bare line feeds', (hidden) => `0\n\n${hidden}`),
  refusedChunks('a trailer on a folded line', (hidden) => `0\r\nX-A: b\r\n c\r\n\r\n${hidden}`),
  refusedChunks('1,025 chunks', () => chunk('[').repeat(1025) + END),
  chunked('a chunk extension', (hidden) => chunk(hidden).replace('\r\n', ';a=b\r\n') + END),
  chunked('a chunk size with zeros in front', (hidden) => `000${chunk(hidden)}${END}`),
  chunked(
    'a chunk size in capitals',
    (hidden) => chunk(hidden.padEnd(0xab)).replace(/^[^\r]*/, (n) => n.toUpperCase()) + END,
  ),
  refusedChunks('a length in the trailers', (hidden) => `0\r\nContent-Length: 5\r\n\r\n${hidden}`),
  refusedChunks('an encoding in the trailers', (hidden) => `0\r\nTransfer-Encoding: chunked\r\n\r\n${hidden}`),
  chunked('a Host in the trailers', (hidden) => `${chunk(hidden)}0\r\nHost: evil.example\r\n\r\n`),
];

const start = (line: string, headers = HOST): string => `${line}\r\n${headers}\r\n`;
const LINES: readonly Shape[] = [
  raw(
    'a request line that ends with a bare line feed',
    (thing, hidden) => `GET /things/${thing}/shadow HTTP/1.1\n${HOST}\r\n${hidden}`,
    400,
  ),
  raw(
    'headers that end with bare line feeds',
    (thing, hidden) => `GET /things/${thing}/shadow HTTP/1.1\r\nHost: 127.0.0.1\n\n${hidden}`,
    400,
  ),
  raw('a header without a colon', (_, hidden) => start('GET /health/live HTTP/1.1', `${HOST}X-A\r\n`) + hidden, 400),
  raw(
    'a first header behind a space',
    (_, hidden) => start('GET /health/live HTTP/1.1', ` X-A: b\r\n${HOST}`) + hidden,
    400,
  ),
  raw('NUL in a value', (_, hidden) => start('GET /health/live HTTP/1.1', `${HOST}X-A: a\0b\r\n`) + hidden, 400),
  raw(
    'a carriage return in a value',
    (_, hidden) => start('GET /health/live HTTP/1.1', `${HOST}X-A: a\rb\r\n`) + hidden,
    400,
  ),
  raw('two spaces in the request line', () => start('GET  /health/live HTTP/1.1') + LAST, 200, 200),
  raw('a tab in the request line', (_, hidden) => start('GET\t/health/live HTTP/1.1') + hidden, 400),
  raw('a space in the path', (_, hidden) => start('GET /health/live x HTTP/1.1') + hidden, 400),
  raw('a method of lower case', (_, hidden) => start('get /health/live HTTP/1.1') + hidden, 400),
  raw('HTTP/0.9', (_, hidden) => `GET /health/live\r\n\r\n${hidden}`, 400),
  raw('HTTP/1.2', (_, hidden) => start('GET /health/live HTTP/1.2') + hidden, 400),
  raw('the preface of HTTP/2', (_, hidden) => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`, 400),
  raw('a version of lower case', (_, hidden) => start('GET /health/live http/1.1') + hidden, 400),
  raw('empty lines in front', () => `\r\n\r\n${LAST}`, 200),
  raw(
    'line feeds of percent signs in a name',
    (thing) => start(`GET /things/${thing}%0d%0aX:%20/shadow HTTP/1.1`) + LAST,
    400,
    200,
  ),
  raw('data after a request that closes', (_, hidden) => LAST + hidden, 200),
];

const TARGETS: readonly Shape[] = [
  raw(
    'the absolute form with a name of the node',
    () => start('GET http://localhost:1/health/live HTTP/1.1') + LAST,
    200,
    200,
  ),
  raw(
    'the absolute form with a strange name and a good Host',
    () => start('GET http://evil.example/health/live HTTP/1.1') + LAST,
    400,
  ),
  raw(
    'the absolute form with a good name and a strange Host',
    () => {
      return start('GET http://127.0.0.1/health/live HTTP/1.1', 'Host: evil.example\r\n') + LAST;
    },
    200,
    200,
  ),
  raw(
    'the absolute form with a user',
    () => start('GET http://127.0.0.1@evil.example/health/live HTTP/1.1') + LAST,
    400,
  ),
  raw('the asterisk form', () => start('OPTIONS * HTTP/1.1') + LAST, 404, 200),
  raw('CONNECT', (_, hidden) => start('CONNECT 127.0.0.1:80 HTTP/1.1') + hidden),
  raw('no version', (_, hidden) => start('GET /health/live') + hidden, 400),
  raw('no version behind another request', (_, hidden) => LIVE + start('GET /health/live') + hidden, 200, 400),
  raw('HTTP/0.9 by name', (_, hidden) => start('GET /health/live HTTP/0.9') + hidden, 400),
  raw('HTTP/2.0', (_, hidden) => start('GET /health/live HTTP/2.0') + hidden, 400),
  raw('HTTP/1.0 without Host', (_, hidden) => start('GET /health/live HTTP/1.0', '') + hidden, 200),
  raw('two Hosts', (_, hidden) => start('GET /health/live HTTP/1.1', `${HOST}Host: evil.example\r\n`) + hidden, 400),
  raw('no Host', (_, hidden) => start('GET /health/live HTTP/1.1', '') + hidden, 400),
  raw('an empty Host', () => start('GET /health/live HTTP/1.1', 'Host:\r\n') + LAST, 400),
  raw('a Host with a user', () => start('GET /health/live HTTP/1.1', 'Host: evil@127.0.0.1\r\n') + LAST, 400),
  raw(
    'a Host with a space before the colon',
    (_, hidden) => start('GET /health/live HTTP/1.1', 'Host : 127.0.0.1\r\n') + hidden,
    400,
  ),
];

const BODIES: readonly Shape[] = [
  raw(
    'a GET with a length',
    (_, hidden) => start('GET /health/live HTTP/1.1', `${HOST}Content-Length: ${hidden.length}\r\n`) + hidden,
    200,
  ),
  raw(
    'a GET with chunks',
    (_, hidden) => {
      return start('GET /health/live HTTP/1.1', `${HOST}Transfer-Encoding: chunked\r\n`) + chunk(hidden) + END;
    },
    200,
  ),
  raw(
    'a HEAD with a length',
    (_, hidden) => start('HEAD /health/live HTTP/1.1', `${HOST}Content-Length: ${hidden.length}\r\n`) + hidden,
    200,
  ),
  raw(
    'a DELETE with a length',
    (thing, hidden) => {
      return (
        start(`DELETE /things/${thing}/shadow HTTP/1.1`, `${HOST}Content-Length: ${hidden.length}\r\n`) + hidden + LAST
      );
    },
    404,
    200,
  ),
  raw(
    'a body that is too large',
    (thing, hidden) => {
      const body = hidden.padEnd(100_000, hidden);
      return post(thing, `Content-Length: ${body.length}\r\n`) + body + LAST;
    },
    413,
    200,
  ),
  raw(
    'chunks that are too large',
    (thing, hidden) => {
      return post(thing, 'Transfer-Encoding: chunked\r\n') + chunk(hidden.padEnd(40_000, hidden)) + END + hidden;
    },
    413,
  ),
  raw(
    'a body of a path that does not exist',
    (_, hidden) => {
      return start('POST /nothing HTTP/1.1', `${HOST}Content-Length: ${hidden.length}\r\n`) + hidden + LAST;
    },
    404,
    200,
  ),
  raw(
    'a body behind a strange Host',
    (thing, hidden) => {
      return (
        start(`POST /things/${thing}/shadow HTTP/1.1`, `Host: evil.example\r\nContent-Length: ${hidden.length}\r\n`) +
        hidden
      );
    },
    400,
  ),
  raw(
    'a body of another site',
    (thing, hidden) => {
      return post(thing, `Origin: http://evil.example\r\nContent-Length: ${hidden.length}\r\n`) + hidden;
    },
    403,
  ),
  raw(
    'an expectation that nobody knows',
    (thing, hidden) => {
      return post(thing, `Expect: 200-ok\r\nContent-Length: ${hidden.length}\r\n`) + hidden + LAST;
    },
    417,
    200,
  ),
  raw('a good request, then a broken one', (thing, hidden) => `${update(thing)}BROKEN\r\n\r\n${hidden}`, 200, 400),
  raw(
    'a good request, then a body of bad chunks',
    (thing, hidden) => {
      return `${update(thing)}${post(thing, 'Transfer-Encoding: chunked\r\n')}z\r\n${hidden}`;
    },
    200,
    400,
  ),
];

export const SHAPES: readonly Shape[] = [...LENGTHS, ...ENCODINGS, ...CHUNKS, ...LINES, ...TARGETS, ...BODIES];
