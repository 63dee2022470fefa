import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { fastify, type FastifyInstance } from 'fastify';
import { messageFrame } from './message-frame.js';
import { MessageStream, type MessageOptions } from './message-stream.js';
import { upgradeOf, upgradesOf } from './server/upgrades.js';

const REQUEST =
  'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
/** A pong of a client: masked, and without data. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const PING = Buffer.from([0x89, 0]);

describe('MessageStream', () => {
  let server: FastifyInstance;
  let socket: Socket | undefined;
  afterEach(async () => {
    socket?.destroy();
    await server.close();
  });

  interface Opened {
    readonly stream: MessageStream;
    readonly client: Socket;
    readonly closed: Promise<void>;
    readonly faults: string[];
  }

  /** A stream to a client that has read the answer to its upgrade, and reads nothing more. */
  async function open(options: MessageOptions): Promise<Opened> {
    server = fastify();
    let closed: Promise<void> = Promise.resolve();
    const faults: string[] = [];
    const opened = new Promise<MessageStream>((resolve) => {
      server.get('/', async (request, reply) => {
        let gone = (): void => undefined;
        closed = new Promise((left) => (gone = left));
        const listener = { message: () => undefined, faulty: (why: string) => void faults.push(why), closed: gone };
        resolve((await MessageStream.open(upgradeOf(request.raw)!, reply, listener, options))!);
      });
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    upgradesOf(server.server).serve([/^\/$/]);
    socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(REQUEST);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 101 /);
    socket.pause();
    return { stream: await opened, client: socket, closed, faults };
  }

  const big = messageFrame(JSON.stringify('x'.repeat(1_000_000)));
  /** Writes until the stream returns false; returns the number of messages. Throws after more than any socket buffers. */
  async function fill(stream: MessageStream): Promise<number> {
    for (let messages = 0; messages < 100; messages++) if (!(await stream.write(big))) return messages;
    throw new Error('the stream accepted 100 MB for a client that reads nothing');
  }

  it('makes its writer wait, and cuts off a client that reads nothing', async () => {
    const { stream, closed } = await open({ stallMs: 50, lingerMs: 50 });
    expect(await fill(stream)).toBeLessThan(100);
    stream.end('{}', 1013, 'too-slow');
    await closed;
    expect(stream.write(big)).toBe(false);
  });

  it('lets a waiting writer go when it is abandoned', async () => {
    const { stream } = await open({ lingerMs: 50 });
    const waiting = fill(stream);
    stream.abandon();
    expect(await waiting).toBeLessThan(100);
    stream.end('{}', 1000, 'closed');
  });

  it('tells when the client is gone', async () => {
    const { stream, client, closed } = await open({});
    const waiting = fill(stream);
    client.destroy();
    await closed;
    await waiting;
    expect(stream.write(big)).toBe(false);
  });

  it('cuts off a client that answers no ping, and keeps one that does', async () => {
    const { client, closed } = await open({ pingMs: 20 });
    let pings = 0;
    let answers = true;
    client.on('data', (data: Buffer) => {
      if (!data.includes(PING)) return;
      pings++;
      if (answers) client.write(PONG);
    });
    client.resume();
    while (pings < 6) await once(client, 'data');
    answers = false;
    await closed;
    expect(pings).toBeGreaterThanOrEqual(6 + 2);
  });

  it('has room for 100 pongs in a second', async () => {
    const { stream, client, faults } = await open({ pingMs: 60_000, lingerMs: 50 });
    client.resume();
    client.write(Buffer.concat(Array(101).fill(PONG)));
    while (faults.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(faults).toEqual([expect.stringMatching(/^more than 100/)]);
    stream.end('{}', 1008, 'bad-message');
  });
});
