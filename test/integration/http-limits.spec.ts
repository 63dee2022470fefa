import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { SERVER_OPTIONS } from '../../src/http/server/server-options.js';

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
