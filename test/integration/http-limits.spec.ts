import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { until } from '../harness/until.js';
import { SERVER_OPTIONS } from '../../src/http/server/server-options.js';
import type { ShadowStore } from '../../src/store/shadow-store.js';

const wrappedGet = (store: ShadowStore, get: ShadowStore['get']): ShadowStore =>
  Object.assign(Object.create(store) as ShadowStore, { get });

/** Everything that the server says until it closes the connection. */
async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString();
}

describe('hostile connections', () => {
  let node: HttpNode;
  beforeAll(async () => (node = await startHttpNode()));
  afterAll(() => node.stop());

  async function open(): Promise<Socket> {
    const socket = connect(node.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  it('cuts off a client whose headers do not come, and one whose body does not', async () => {
    const headers = await open();
    const body = await open();
    headers.write('GET /things/t/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ');
    body.write('POST /things/t/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{');
    const started = Date.now();
    const answers = await Promise.all([untilClosed(headers), untilClosed(body)]);
    for (const answer of answers) {
      expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
      expect(answer).toMatch(/x-amzn-requestid: [0-9a-f-]{36}\r\n/);
      expect(answer).toContain('"traceId"');
    }
    // Not before their time, whatever the machine does.
    expect(Date.now() - started).toBeGreaterThanOrEqual(SERVER_OPTIONS.headersTimeout);
    expect((await fetch(`${node.url}/health/live`)).status).toBe(200);
  });

  it.each([
    ['garbage', '\x16\x03\x01garbage\r\n\r\n', /^HTTP\/1\.1 400 Bad Request/],
    [
      'two lengths',
      'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      /^HTTP\/1\.1 400/,
    ],
    [
      'a smuggled length',
      'POST /things/t/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400/,
    ],
    [
      '20 KB of headers',
      `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431/,
    ],
  ])('refuses %s and closes', async (_name, request, answer) => {
    const socket = await open();
    const text = untilClosed(socket);
    socket.write(request, 'latin1');
    expect(await text).toMatch(answer);
    expect((await fetch(`${node.url}/health/live`)).status).toBe(200);
  });

  it('survives a client that leaves in the middle of its body', async () => {
    for (let i = 0; i < 20; i++) {
      const socket = await open();
      socket.write('POST /things/gone/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{"state":');
      socket.destroy();
    }
    expect((await fetch(`${node.url}/things/gone/shadow`)).status).toBe(404);
  });

  it('names every answer with its own id, pipelined ones too', async () => {
    const socket = await open();
    const text = untilClosed(socket);
    const request = 'GET /things/t/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: mine\r\n';
    socket.write(`${request}\r\n${request}\r\n${request}Connection: close\r\n\r\n`);
    const ids = [...(await text).matchAll(/^x-amzn-requestid: (\S+)\r$/gm)].map(([, id]) => id);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(3);
    expect(ids).not.toContain('mine');
  });
});

it('refuses a body beyond its bound as soon as it has passed it, although no length was told', async () => {
  const node = await startHttpNode({ limits: { maxRequestBytes: 1000 } });
  try {
    const socket = connect(node.port, '127.0.0.1');
    const answer = once(socket, 'data');
    socket.write('POST /things/t/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n');
    // The body has no end yet.
    socket.write(`c00\r\n${'x'.repeat(0xc00)}\r\n`);
    const [data] = (await answer) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1\.1 413 [^]*x-amzn-errortype: RequestEntityTooLargeException:/);
    socket.destroy();
  } finally {
    await node.stop();
  }
});

it('shuts down although clients hold connections that say nothing, and finishes what is in flight', async () => {
  let release = (): void => undefined;
  let arrived = (): void => undefined;
  const inFlight = new Promise<void>((resolve) => (arrived = resolve));
  const released = new Promise<void>((resolve) => (release = resolve));
  const node = await startHttpNode({
    wrap: (store) =>
      Object.assign(Object.create(store) as typeof store, {
        get: async () => {
          arrived();
          await released;
          return null;
        },
      }),
  });
  const silent = connect(node.port, '127.0.0.1');
  await once(silent, 'connect');
  const cut = new Promise((resolve) => silent.once('close', resolve));
  const answer = fetch(`${node.url}/things/t/shadow`);
  await inFlight;
  const stopped = node.stop();
  await cut;
  release();
  expect((await answer).status).toBe(404);
  await stopped;
  await expect(fetch(`${node.url}/health/live`)).rejects.toThrow();
});

describe('the request log', () => {
  it('has a line per request, without payload and query', async () => {
    const { pino } = await import('pino');
    const lines: string[] = [];
    const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
    const node = await startHttpNode({ logger });
    try {
      const response = await fetch(`${node.url}/things/t/shadow?name=secret`, {
        method: 'POST',
        body: '{"state":{"desired":{"pin":1234}}}',
      });
      await response.text();
      const id = response.headers.get('x-request-id');
      const line = lines
        .map((text) => JSON.parse(text) as Record<string, unknown>)
        .find(({ requestId }) => requestId === id);
      expect(line).toMatchObject({
        method: 'POST',
        route: '/things/:thing/shadow',
        status: 200,
        ms: expect.any(Number),
      });
      expect(lines.join('')).not.toMatch(/secret|1234/);
    } finally {
      await node.stop();
    }
  });
});

describe('too many connections', () => {
  const MAX = 20;
  const lines: string[] = [];
  let node: HttpNode;
  let release = (): void => undefined;
  let waiting = 0;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    const { pino } = await import('pino');
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    const released = new Promise<void>((resolve) => (release = resolve));
    const get = async (): Promise<null> => {
      waiting++;
      await released;
      return null;
    };
    node = await startHttpNode({ logger, http: { maxConnections: MAX }, wrap: (store) => wrappedGet(store, get) });
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await node.stop();
  });

  function open(request = ''): Socket {
    const socket = connect(node.port, '127.0.0.1', () => void socket.write(request));
    socket.on('error', () => undefined);
    sockets.push(socket);
    return socket;
  }

  const logged = (text: string) =>
    lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === text);

  it('let those that wait for nothing give way, so that others are served', async () => {
    const kept = open('GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await once(kept, 'data');
    const cut = once(kept, 'close');
    const closed = Array.from({ length: 3 * MAX }, () => once(open(), 'close'));
    await cut;
    for (let i = 0; i < MAX; i++) {
      const bystander = await fetch(`${node.url}/health/live`, { headers: { connection: 'close' } });
      expect(bystander.status).toBe(200);
    }
    await Promise.race(closed);
    const [first] = logged('idle HTTP connections closed for new ones');
    expect(first).toMatchObject({ closed: 1, maxConnections: MAX, reason: 'too-many-connections' });
    expect(logged('idle HTTP connections closed for new ones').length).toBeLessThan(5);
  });

  it('are closed at once while all others have a request, which is served to its end', async () => {
    const busy = Array.from({ length: MAX }, () => open('GET /things/t/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'));
    const answers = busy.map((socket) => once(socket, 'data') as Promise<[Buffer]>);
    await until('all requests are under way', () => waiting === MAX);
    const refused = Array.from({ length: MAX }, () => open());
    await Promise.all(refused.map((socket) => socket.closed || once(socket, 'close')));
    expect(logged('HTTP connections refused')[0]).toMatchObject({ level: 40, refused: 1, maxConnections: MAX });
    expect(logged('HTTP connections refused').length).toBeLessThan(5);
    release();
    for (const [data] of await Promise.all(answers)) expect(data.toString()).toMatch(/^HTTP\/1\.1 404 /);
    expect((await fetch(`${node.url}/health/live`)).status).toBe(200);
  });
});
