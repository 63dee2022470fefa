import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { pino } from 'pino';
import { MAX_HEADERS } from '../../src/http/request-head.js';
import { BodyBudget } from '../../src/http/server/body-budget.js';
import { MAX_PIECES } from '../../src/http/server/body-reader.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { until } from '../harness/until.js';

const HOST = 'Host: 127.0.0.1\r\n';
const GOOD = '{"state":{"desired":{"a":1}}}';
const lines: string[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
let node: HttpNode;
let bystander: Bystander;
const sockets = new Set<Socket>();

/** A client that means no harm, beside all attacks: each of its answers must be the right one. */
class Bystander {
  answers = 0;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(private readonly url: string) {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const url = `${this.url}/things/bystander/shadow`;
    for (let count = 1; !this.#stopped; count++) {
      const body = JSON.stringify({ state: { reported: { count } } });
      const written = await fetch(url, { method: 'POST', body });
      expect([written.status, await written.json()]).toEqual([200, expect.objectContaining({ version: count })]);
      const read = await fetch(url);
      expect(await read.json()).toMatchObject({ state: { reported: { count } }, version: count });
      this.answers++;
    }
  }
}

beforeAll(async () => {
  node = await startHttpNode({ logger, http: { names: ['umbra.test', 'dotted.test.'] } });
  bystander = new Bystander(node.url);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  const { answers } = bystander;
  await until('the bystander is served', () => bystander.answers > answers + 1);
});
afterAll(async () => {
  await bystander.stop();
  await node.stop();
});

async function open(port = node.port): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.add(socket.on('error', () => undefined));
  await once(socket, 'connect');
  return socket;
}

/** Sends bytes, and returns what the node says until it closes. */
async function say(bytes: string): Promise<string> {
  const socket = await open();
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => (text += part));
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  return text;
}

const closing = (line: string, headers: string, body = ''): string =>
  `${line} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n${body}`;
const get = (headers: string): Promise<string> => say(closing('GET /things/none/shadow', headers));

describe('bodies', () => {
  const post = (thing: string, headers: string): string =>
    `POST /things/${thing}/shadow HTTP/1.1\r\n${HOST}${headers}\r\n`;
  const inPieces = (text: string, bytes: number): string =>
    (text.match(new RegExp(`[^]{1,${bytes}}`, 'g')) ?? [])
      .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
      .join('') + '0\r\n\r\n';

  it('in chunks of one byte are read while they are few, and refused when they are many', async () => {
    const small = post('pieces', 'Transfer-Encoding: chunked\r\nConnection: close\r\n') + inPieces(GOOD, 1);
    expect(await say(small)).toMatch(/^HTTP\/1\.1 200 [^]*"version":1/);
    const attacks = Array.from({ length: 6 }, () =>
      say(post('pieces', 'Transfer-Encoding: chunked\r\n') + inPieces('['.repeat(10_000), 1)),
    );
    for (const answer of await Promise.all(attacks)) {
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 400 [^]*A body may come in ${MAX_PIECES} pieces at most`));
    }
  });

  it('of every size up to the limit arrive as they were sent, in few pieces or many', async () => {
    for (const bytes of [60, 1023, 1024, 1025, 4096, 8000]) {
      const text = `{"state":{"desired":{"a":"${'x'.repeat(bytes - 30)}"}}}`;
      for (const size of [10_000, 700, 64]) {
        const headers = 'Transfer-Encoding: chunked\r\nConnection: close\r\n';
        const answer = await say(post('sizes', headers) + inPieces(text, size));
        expect(answer.split('\r\n\r\n')[1]).toContain('x'.repeat(bytes - 30));
      }
      const socket = await open();
      let said = '';
      socket.on('data', (part: Buffer) => (said += part.toString()));
      socket.write(post('sizes', `Content-Length: ${text.length}\r\nConnection: close\r\n`) + text.slice(0, 50));
      await fetch(`${node.url}/health/live`);
      socket.write(text.slice(50));
      await once(socket, 'close');
      expect(said).toContain('x'.repeat(bytes - 30));
    }
  });

  it('of a megabyte of brackets are refused by their length, and the connection goes on', async () => {
    const body = '['.repeat(1_000_000);
    const bytes = post('brackets', `Content-Length: ${body.length}\r\n`) + body;
    const last = closing('GET /health/live', HOST);
    const answers = await Promise.all(Array.from({ length: 5 }, () => say(bytes + last)));
    for (const answer of answers) {
      expect(answer).toMatch(
        /^HTTP\/1\.1 413 [^]*The payload exceeds the maximum size allowed[^]*HTTP\/1\.1 200 [^]*$/,
      );
    }
  });

  it('that are announced are refused before they are sent where they are too large, and asked for where not', async () => {
    const expecting = (length: number): string =>
      post('expect', `Expect: 100-continue\r\nContent-Length: ${length}\r\n`);
    for (const length of [40_000, 900_000, 2_000_000_000]) {
      // The answer and the end come without a byte of the body; what is sent behind is no request any more.
      const answer = await say(expecting(length) + closing('GET /health/live', HOST));
      expect(answer).toMatch(/^HTTP\/1\.1 413 [^]*connection: close\r\n/i);
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    }
    const socket = await open();
    socket.write(expecting(GOOD.length));
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write(GOOD);
    const [second] = (await once(socket, 'data')) as [Buffer];
    expect(second.toString()).toMatch(/^HTTP\/1\.1 200 [^]*"version":1/);
  });

  it('that are announced behind another request are asked for in their turn, never inside of an answer', async () => {
    const first = post('announced-1', `Content-Length: ${GOOD.length}\r\n`) + GOOD;
    // Its answer waits for the one before it; nothing is asked for any more.
    const answered = await say(
      `${first}GET /health/live HTTP/1.1\r\n${HOST}Connection: close\r\nExpect: 100-continue\r\n\r\n`,
    );
    expect(answered).toMatch(
      /^HTTP\/1\.1 200 (?:(?!HTTP\/)[^])*"version":1(?:(?!HTTP\/)[^])*HTTP\/1\.1 200 (?:(?!HTTP\/)[^])*$/,
    );

    const socket = await open();
    let said = '';
    socket.on('data', (part: Buffer) => (said += part.toString()));
    const second = post('announced-2', `Expect: 100-continue\r\nContent-Length: ${GOOD.length}\r\n`);
    socket.write(first + second);
    await until('the body is asked for', () => said.endsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    expect(said).toMatch(/^HTTP\/1\.1 200 (?:(?!HTTP\/)[^])*"version":2(?:(?!HTTP\/)[^])*HTTP\/1\.1 100 /);
    said = '';
    socket.write(GOOD);
    await until('the second is answered', () => said.endsWith('}'));
    expect(said).toMatch(/^HTTP\/1\.1 200 [^]*"version":1/);
  });

  it('that never end are bounded together: the oldest give way, and say why', async () => {
    const budget = new BodyBudget(5 * 20_384);
    const ended: number[] = [];
    const bodies = Array.from({ length: 10 }, (_, index) => ({ capacity: 4000, giveUp: () => ended.push(index) }));
    for (const body of bodies) budget.hold(body);
    expect(ended).toEqual([0, 1, 2, 3, 4]);
    expect(budget.bytes).toBe(5 * (4000 + 16 * 1024));
    for (const body of bodies) budget.release(body);
    expect(budget.bytes).toBe(0);
  });

  it('that never end give way on the socket with 503, and a whole body does not wait for them', async () => {
    const bodies = new BodyBudget(500_000);
    const small = await startHttpNode({ bodies });
    try {
      const body = 'x'.repeat(30_000);
      const halves = await Promise.all(Array.from({ length: 20 }, () => open(small.port)));
      const answers: string[] = [];
      for (const socket of halves) {
        socket.on('data', (part: Buffer) => answers.push(part.toString()));
        socket.write(post('half', `Content-Length: ${body.length + 1}\r\n`) + body);
      }
      // 500,000 bytes hold ten of 30,000 with their requests.
      await until('ten give way', () => answers.length >= 10);
      for (const answer of answers) {
        expect(answer).toMatch(
          /^HTTP\/1\.1 503 [^]*retry-after: 1[^]*The node is short of room; try again: other bodies/i,
        );
      }
      expect(bodies.bytes).toBeLessThanOrEqual(500_000);
      const init = { method: 'POST', body: GOOD };
      expect((await fetch(`${small.url}/things/whole/shadow`, init)).status).toBe(200);
      expect(answers).toHaveLength(10);
      for (const socket of halves) socket.destroy();
      await until('the room is free', () => bodies.bytes === 0);
    } finally {
      await small.stop();
    }
  });

  it('whose clients leave are a debug line, and no error', async () => {
    lines.length = 0;
    for (let i = 0; i < 20; i++) {
      const socket = await open();
      socket.write(post('gone', 'Content-Length: 100\r\n') + '{"state":');
      await fetch(`${node.url}/health/live`);
      socket.destroy();
    }
    const aborted = (): Record<string, unknown>[] =>
      lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ reason }) => reason === 'aborted');
    await until('every abort is noticed', () => aborted().length >= 20);
    expect(aborted()).toHaveLength(20);
    expect(aborted()[0]).toMatchObject({ level: 20, received: 9, requestId: expect.any(String) });
    expect(lines.map((line) => (JSON.parse(line) as { level: number }).level)).not.toContain(50);
  });
});

describe('the Host of a request', () => {
  it.each([
    '127.0.0.1',
    '127.0.0.1:8080',
    'localhost',
    'LocalHost:1',
    '[::1]:80',
    '10.1.2.3',
    '[2001:db8::1]',
    'umbra.test',
    'UMBRA.TEST.:8443',
    'dotted.test',
    'dotted.test.',
  ])('%s is served', async (host) => {
    expect(await get(`Host: ${host}\r\n`)).toMatch(/^HTTP\/1\.1 404 [^]*No shadow exists/);
  });

  it.each([
    'evil.example',
    'evil.example:8080',
    'umbra.test.evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'x@127.0.0.1',
    '0x7f.1',
    '2130706433',
    '',
    ':80',
    '[::1',
    '127.0.0.1 '.repeat(2).trim(),
    'umbra.test..',
  ])('%j is refused by name of the variable that would allow it', async (host) => {
    const text = await get(`Host: ${host}\r\n`);
    expect(text).toMatch(
      /^HTTP\/1\.1 400 [^]*is no name of this node: use its address, or add the name to UMBRA_HTTP_NAMES/,
    );
  });

  it('is checked before anything is done, and on every route', async () => {
    const write = closing(
      'POST /things/rebound/shadow',
      `Host: evil.example\r\nContent-Length: ${GOOD.length}\r\n`,
      GOOD,
    );
    expect(await say(write)).toMatch(/^HTTP\/1\.1 400 /);
    for (const path of ['/v1/watch', '/v1/things', '/health/ready', '/openapi.json', '/docs']) {
      expect(await say(closing(`GET ${path}`, 'Host: evil.example\r\n'))).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect((await fetch(`${node.url}/things/rebound/shadow`)).status).toBe(404);
  });
});

describe('headers', () => {
  const patch = (headers: string): string =>
    closing('PATCH /v1/things/conditions/shadow', `${HOST}${headers}Content-Length: ${GOOD.length}\r\n`, GOOD);
  const filler = (count: number): string => Array.from({ length: count }, (_, i) => `X-${i}: a\r\n`).join('');

  it('beyond what is kept are refused: a condition among them would not be checked', async () => {
    // Host, Connection, Content-Length and If-Match beside the others.
    expect(await say(patch(`${filler(MAX_HEADERS - 4)}If-Match: "7"\r\n`))).toMatch(/^HTTP\/1\.1 412 /);
    for (const count of [MAX_HEADERS - 3, 500, 1500, 2500]) {
      const text = await say(patch(`${filler(count)}If-Match: "7"\r\n`));
      expect(text).toMatch(/^HTTP\/1\.1 (400 [^]*100 headers at most|431 )/);
    }
    expect((await fetch(`${node.url}/things/conditions/shadow`)).status).toBe(404);
  });

  it('that carry a condition twice are one list, and a list that is none is refused', async () => {
    expect(await say(patch('If-Match: "7"\r\nIf-Match: "8"\r\n'))).toMatch(/^HTTP\/1\.1 412 /);
    expect(await say(patch('If-Match: *\r\nIf-Match: "8"\r\n'))).toMatch(/^HTTP\/1\.1 400 /);
    expect(await say(patch('If-None-Match: "7"\r\nIf-None-Match: "1"\r\n'))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await say(patch('If-Match: "7"\r\nIf-Match: "1"\r\n'))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await say(patch('If-None-Match: "7"\r\nIf-None-Match: "2"\r\n'))).toMatch(/^HTTP\/1\.1 412 /);
  });

  it('with two Hosts are refused, whatever the second says', async () => {
    for (const second of ['evil.example', '127.0.0.1']) {
      expect(await get(`${HOST}host: ${second}\r\n`)).toMatch(/^HTTP\/1\.1 400 [^]*one Host only/);
    }
  });
});
