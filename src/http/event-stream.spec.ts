import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { fastify, type FastifyInstance } from 'fastify';
import { EventStream, frame, type StreamOptions } from './event-stream.js';

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
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    return { stream: await opened, client: socket, closed };
  }

  const big = frame('change', JSON.stringify('x'.repeat(1_000_000)));
  /** Writes until the socket takes no more. */
  function fill(stream: EventStream): Promise<boolean> {
    for (let i = 0; i < 100; i++) {
      const written = stream.write(big);
      if (typeof written !== 'boolean') return written;
    }
    throw new Error('the socket took 100 MB');
  }

  it('holds its writer back while the socket is full, and lets it go on when the client reads', async () => {
    const { stream, client } = await open({});
    const waiting = fill(stream);
    let settled = false;
    void waiting.then(() => (settled = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    client.resume();
    expect(await waiting).toBe(true);
    stream.end('');
  });

  it('gives up a client that takes nothing, and cuts it off', async () => {
    const { stream, closed } = await open({ stallMs: 20, lingerMs: 20 });
    expect(await fill(stream)).toBe(false);
    stream.end(frame('end', '{}'));
    await closed;
    expect(stream.write('more')).toBe(false);
  });

  it('lets a waiting writer go when it is abandoned', async () => {
    const { stream } = await open({ lingerMs: 20 });
    const waiting = fill(stream);
    stream.abandon();
    expect(await waiting).toBe(false);
    expect(await stream.write(big)).toBe(false);
    stream.end('');
  });

  it('tells when the client is gone', async () => {
    const { stream, client, closed } = await open({});
    const waiting = fill(stream);
    client.destroy();
    await closed;
    expect(await waiting).toBe(false);
    expect(stream.write(big)).toBe(false);
  });
});
