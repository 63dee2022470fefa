import { Random } from '../faults/plans/random.js';

/** What one connection sends, made from seed and index alone, so that a find needs no recording. */
export interface HttpScript {
  /** Each is one write. */
  readonly chunks: readonly Buffer[];
  readonly requests: number;
  readonly broken: number;
  /** How it goes: with a FIN, or with a reset. */
  readonly leaves: 'fin' | 'reset';
}

const THINGS = 500;
const CR_LF = '\r\n';
const JSONS = [
  '{"state":{"desired":{"a":1}}}',
  '{"state":{"reported":{"a":[1,2,{"b":null}],"c":"\u00e9\u20ac"}},"clientToken":"t"}',
  '{"state":null,"version":0}',
  '{"state":{"desired":{"__proto__":{"x":1},"constructor":2}}}',
  '{"a":1}',
  '"on"',
  '',
];
const NAMES = ['', '?name=door', '?name=', '?name=a&name=b', '?name=%ff', '?x=1', '?name=%24n'];
const PATHS = [
  (thing: string) => `/things/${thing}/shadow`,
  (thing: string) => `/v1/things/${thing}/shadow`,
  (thing: string) => `/v1/things/${thing}/shadow/desired`,
  (thing: string) => `/v1/things/${thing}/shadows`,
  (thing: string) => `/v1/things/${thing}`,
  (thing: string) => `/api/things/shadow/ListNamedShadowsForThing/${thing}`,
  () => '/v1/things?limit=3',
  () => '/health/live',
  () => '/v1/watch?cursor=junk',
  () => '/openapi.json',
  (thing: string) => `http://127.0.0.1/things/${thing}/shadow`,
];
const METHODS = ['GET', 'GET', 'POST', 'POST', 'PATCH', 'DELETE', 'PUT', 'OPTIONS', 'QUERY'];
/** Headers that a server must not be misled by, beside plain ones. */
const HEADERS = [
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Content-Length: 1000000',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Host: evil.example',
  'Host: 127.0.0.1',
  'Connection: close',
  'Connection: upgrade',
  'Upgrade: h2c',
  'Upgrade: websocket',
  'Sec-WebSocket-Protocol: mqtt',
  'Expect: 100-continue',
  'Expect: miracle',
  'If-Match: "1"',
  'If-Match: *',
  'If-None-Match: W/"3", "4"',
  'Last-Event-ID: {"revision":-1}',
  'Origin: http://evil.example',
  'Content-Type: text/plain; charset="',
  'Accept: text/event-stream',
  `X-Long: ${'x'.repeat(3000)}`,
  'X-Folded: a\r\n b',
  'X-Nul: a\0b',
];

export function httpScript(seed: number, index: number): HttpScript {
  const random = new Random(seed).fork(`connection ${index}`);
  const whole = Array.from({ length: random.int(0, 8) }, () => request(random, false));
  const bad = Array.from({ length: random.int(1, 2) }, () => broken(random));
  return {
    chunks: split(Buffer.concat([...whole, ...bad]), random),
    requests: whole.length + bad.length,
    broken: bad.length,
    leaves: random.next() < 0.5 ? 'fin' : 'reset',
  };
}

/** A request that is whole, or one with headers that contradict each other. */
function request(random: Random, isOdd: boolean): Buffer {
  const thing = `fuzz-${random.int(1, THINGS)}`;
  const method = random.pick(METHODS);
  const body = method === 'GET' || method === 'OPTIONS' ? '' : random.pick(JSONS);
  const isChunked = body !== '' && random.next() < 0.3;
  const odd = isOdd ? Array.from({ length: random.int(1, 4) }, () => random.pick(HEADERS)) : [];
  const lines = [
    `${method} ${random.pick(PATHS)(thing)}${random.next() < 0.3 ? random.pick(NAMES) : ''} HTTP/1.${random.next() < 0.97 ? 1 : 0}`,
    'Host: 127.0.0.1',
    ...odd,
    isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  const head = Buffer.from(`${lines.join(CR_LF)}${CR_LF}${CR_LF}`, 'latin1');
  return Buffer.concat([head, isChunked ? inChunks(Buffer.from(body), random) : Buffer.from(body)]);
}

function inChunks(body: Buffer, random: Random): Buffer {
  const size = random.pick([1, 3, 1000]);
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}${CR_LF}`), part, Buffer.from(CR_LF));
  }
  return Buffer.concat([...parts, Buffer.from(`0${CR_LF}${CR_LF}`)]);
}

/** A request with odd headers, with damaged bytes, or with both. */
function broken(random: Random): Buffer {
  let bytes = request(random, random.next() < 0.6);
  for (let left = random.int(0, 3); left > 0 && bytes.length > 0; left--) bytes = damage(bytes, random);
  return bytes;
}

function damage(bytes: Buffer, random: Random): Buffer {
  const at = random.int(0, bytes.length - 1);
  const end = Math.min(bytes.length, at + random.int(1, 40));
  const junk = random.pick([
    '\r\n',
    '\n',
    '\r',
    '\0',
    ' ',
    ':',
    '\r\n\r\n',
    '\xff',
    '0\r\n\r\n',
    'x'.repeat(5000),
    ';',
    '+',
  ]);
  switch (random.pick(['flip', 'cut', 'insert', 'repeat', 'remove'])) {
    case 'flip': {
      const copy = Buffer.from(bytes);
      copy[at] = random.int(0, 255);
      return copy;
    }
    case 'cut':
      return bytes.subarray(0, at);
    case 'insert':
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(junk, 'latin1'), bytes.subarray(at)]);
    case 'repeat':
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
  }
}

/** Most connections write once; some hand their bytes out in pieces that fit nothing. */
function split(bytes: Buffer, random: Random): Buffer[] {
  if (random.next() < 0.85) return [bytes];
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length && chunks.length < 20;) {
    const next = at + random.pick([1, 2, 7, 50, 1000]);
    chunks.push(bytes.subarray(at, next));
    at = next;
    if (chunks.length === 20) chunks.push(bytes.subarray(at));
  }
  return chunks;
}
