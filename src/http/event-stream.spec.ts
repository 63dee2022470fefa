import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { fastify, type FastifyInstance } from 'fastify';
import { EventStream, frame } from './event-stream.js';
import type { StreamOptions } from './text-stream.js';

describe('frame', () => {
  it.each([
    ['change', '{"a":1}', 'x1', 'event: change\nid: x1\ndata: {"a":1}\n\n'],
    ['initial', '{"a":"two\\nlines"}', undefined, 'event: initial\ndata: {"a":"two\\nlines"}\n\n'],
  ])('%s', (event, data, id, text) => expect(frame(event, data, id)).toBe(text));
});

describe('EventStream', () => {
  let server: FastifyInstance;
  let socket: Socket | undefined;
  afterEach(async () => {
    socket?.destroy();
    server.server.closeAllConnections();
    await server.close();
  });

  /** A stream to a client that has sent its request and reads nothing. */
  async function open(options: StreamOptions): Promise<{ stream: EventStream; client: Socket; closed: Promise<void> }> {
    server = fastify();
    let closed: Promise<void> = Promise.resolve();
    const opened = new Promise<EventStream>((resolve) => {
      server.get('/', (_request, reply) => {
        closed = new Promise((gone) => resolve(new EventStream(reply, gone, options)));
      });
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    return { stream: await opened, client: socket, closed };
  }

  const big = frame('change', JSON.stringify('x'.repeat(1_000_000)));
  /** Writes until the stream returns false; returns the number of frames. Throws after more than any socket buffers. */
  async function fill(stream: EventStream): Promise<number> {
    for (let frames = 0; frames < 100; frames++) if (!(await stream.write(big))) return frames;
    throw new Error('the stream accepted 100 MB for a client that reads nothing');
  }

  it('sends its text as it is, until the connection closes', async () => {
    const { stream, client } = await open({});
    client.resume();
    let received = '';
    client.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
    await stream.write(Buffer.from(frame('change', '"é"', '1')));
    stream.end(frame('end', '{}'));
    await once(client, 'end');
    const [head = '', body] = received.split(/\r\n\r\n/);
    expect(head.toLowerCase()).toContain('connection: close');
    expect(head.toLowerCase()).not.toContain('transfer-encoding');
    expect(body?.replace(/^retry: \d+\n\n/, '')).toBe('event: change\nid: 1\ndata: "é"\n\nevent: end\ndata: {}\n\n');
  });

  it('accepts as much as the client reads', async () => {
    const { stream, client } = await open({});
    client.resume();
    let received = 0;
    client.on('data', (chunk: Buffer) => (received += chunk.length));
    for (let frames = 0; frames < 50; frames++) expect(await stream.write(big)).toBe(true);
    stream.end('');
    await once(client, 'end');
    expect(received).toBeGreaterThan(50_000_000);
  });

  it('makes its writer wait, and cuts off a client that reads nothing', async () => {
    const { stream, closed } = await open({ stallMs: 50, lingerMs: 50 });
    expect(await fill(stream)).toBeLessThan(100);
    stream.end(frame('end', '{}'));
    await closed;
    expect(stream.write('more')).toBe(false);
  });

  it('lets a waiting writer go when it is abandoned', async () => {
    const { stream } = await open({ lingerMs: 50 });
    const waiting = fill(stream);
    stream.abandon();
    expect(await waiting).toBeLessThan(100);
    stream.end('');
  });

  it('tells when the client is gone', async () => {
    const { stream, client, closed } = await open({});
    const waiting = fill(stream);
    client.destroy();
    await closed;
    await waiting;
    expect(stream.write(big)).toBe(false);
  });

  it('ends at once when the client left while it was prepared', async () => {
    server = fastify();
    let gone = 0;
    const outcome = new Promise<boolean | Promise<boolean>>((resolve) => {
      server.get('/', (_request, reply) => {
        reply.raw.once('close', () => {
          const stream = new EventStream(reply, () => gone++, {});
          resolve(stream.write(frame('change', '{}')));
        });
        socket?.destroy();
      });
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect([await outcome, gone]).toEqual([false, 1]);
  });
});
