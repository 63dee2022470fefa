import { once } from 'node:events';
import { constants } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import type { Call } from '../../src/store/etcd/client/channel/call.js';
import type { EtcdChannel } from '../../src/store/etcd/client/channel/etcd-channel.js';
import { frame } from '../../src/store/etcd/client/channel/grpc-message.js';
import { CONNECTION_LIMITS, MemberConnection } from '../../src/store/etcd/client/channel/member-connection.js';
import * as frames from '../../src/store/etcd/client/http2/frame.js';
import { FLAG, FRAME, settingsOf } from '../../src/store/etcd/client/http2/frame.js';
import { AMPLE, closeChannels, failureOf, openChannel, PATH, QUESTION } from '../harness/etcd-channels.js';
import { answerRaw, GrpcServer, refuse } from '../harness/grpc-server.js';
import { freePort } from '../harness/ports.js';
import { until } from '../harness/until.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

afterEach(closeChannels);

/** Answers each question with its own bytes. */
const echo: GrpcServer['handler'] = async (stream, _, body) => answerRaw(stream, [await body], { 'grpc-status': '0' });

const ask = async (channel: EtcdChannel, size: number): Promise<void> => {
  const question = Buffer.alloc(size, size % 251);
  const answer = await channel.unary(PATH, frame(question), AMPLE);
  expect(answer.equals(question)).toBe(true);
};

describe('HTTP/2 with the server of Node', () => {
  it.each([
    ['as it is', {}],
    ['that fills its frames up', { paddingStrategy: constants.PADDING_STRATEGY_MAX }],
    ['with a window of 1,000 bytes', { settings: { initialWindowSize: 1_000 } }],
    ['that takes frames of 1 MB', { settings: { maxFrameSize: 2 ** 20, initialWindowSize: 2 ** 20 } }],
    ['that takes two streams at once', { settings: { maxConcurrentStreams: 2 } }],
  ])('brings questions and answers of all sizes at once: %s', async (_, options) => {
    const server = await GrpcServer.start(options);
    server.handler = echo;
    const channel = openChannel(server.endpoint);
    const sizes = [0, 1, 99, 100, 16_379, 16_384, 65_530, 65_536, 300_000, 5_000_000];
    await Promise.all(sizes.map((size) => ask(channel, size)));
    // Windows that shrink by a byte for each answer would stand still here.
    for (let i = 0; i < 100; i++) await ask(channel, i * 7);
    expect(server.sessions.length).toBe(1);
    await server.stop();
  });

  it('goes on with windows that are made smaller and larger while it sends', async () => {
    const server = await GrpcServer.start();
    // Node allows a session ten that are not acknowledged.
    const windows = [1, 50_000, 0, 65_535, 30_000, 65_535];
    server.handler = async (stream, headers, body) => {
      for (const initialWindowSize of windows.splice(0, 3)) stream.session?.settings({ initialWindowSize });
      await echo(stream, headers, body);
    };
    const channel = openChannel(server.endpoint);
    await Promise.all([1_000_000, 70_000, 10, 200_000].map((size) => ask(channel, size)));
    await server.stop();
  });

  it('reads the reason of a refusal, whatever characters it has and however long it is', async () => {
    const server = await GrpcServer.start({ maxSendHeaderBlockLength: 60_000 });
    const visible = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i));
    for (const details of [visible, 'ünd 100 % — ✓', 'x'.repeat(30_000)]) {
      server.handler = (stream) => refuse(stream, 5, details);
      const { text } = await failureOf(openChannel(server.endpoint).unary(PATH, QUESTION, AMPLE));
      expect(text).toContain(details);
    }
    await server.stop();
  });

  it('sends a waiting call when there is room, and ends it at its deadline when there is none', async () => {
    const server = await GrpcServer.start({ settings: { maxConcurrentStreams: 1 } });
    const held: (() => void)[] = [];
    server.handler = (stream, headers, body) => void held.push(() => void echo(stream, headers, body));
    const channel = openChannel(server.endpoint);
    const first = ask(channel, 10);
    await until('the first is under way', () => held.length === 1);
    const late = failureOf(channel.unary(PATH, QUESTION, 50));
    const second = ask(channel, 20);
    expect((await late).fault).toBe('not-applied');
    held.shift()!();
    await first;
    await until('the second is under way', () => held.length === 1);
    held.shift()!();
    await second;
    expect(server.sessions.length).toBe(1);
    await server.stop();
  });
});

/** Waits for room until it has met its deadline. */
class LateCall implements Call {
  isEnded = false;
  leftMs(): null {
    return null;
  }
  start(): void {
    throw new Error('there was room');
  }
  fail(): void {
    this.isEnded = true;
  }
}

describe('HTTP/2 with a server that has no room', () => {
  it('holds no calls that have met their deadlines', async () => {
    const server = await GrpcServer.start({ settings: { maxConcurrentStreams: 0 } });
    const limits = CONNECTION_LIMITS;
    const parts = { host: server.endpoint, credentials: {}, limits, onLeave: () => undefined, onEnd: () => undefined };
    const connection = new MemberConnection(parts);
    const head = { path: PATH, headers: {} };
    const late = Array.from({ length: 10 }, () => {
      const call = new LateCall();
      connection.begin(call, head);
      call.fail();
      return new WeakRef(call);
    });
    await until('all but the last are gone', async () => {
      // A turn of its own: what was looked at in this one is held until its end.
      await new Promise((resolve) => setImmediate(resolve));
      collect();
      return late.filter((call) => call.deref()).length <= 1;
    });
    connection.destroy('the test is over');
    await server.stop();
  });
});

/** Bytes of a client after which its first request has come: the preface and its settings are fewer. */
const FIRST_REQUEST = 100;

/** A server of bytes, which says what a test says to a request, after its settings. */
class ByteServer {
  readonly #sockets = new Set<Socket>();
  said: Buffer = Buffer.alloc(0);

  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  static async start(): Promise<ByteServer> {
    const port = await freePort();
    const server = createServer();
    const bytes = new ByteServer(server, `http://127.0.0.1:${port}`);
    server.on('connection', (socket) => bytes.#serve(socket));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return bytes;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.write(settingsOf([]));
    let seen = 0;
    let isSaid = false;
    socket.on('data', (chunk) => {
      seen += chunk.length;
      if (isSaid || seen < FIRST_REQUEST) return;
      isSaid = true;
      // It reads no more.
      socket.pause();
      socket.write(this.said);
    });
  }
}

const frameOf = (type: number, flags: number, stream: number, payload: Buffer): Buffer =>
  frames.frameOf({ type, flags, stream }, payload);

/** `:status: 200`, and `grpc-status: 0`. */
const STATUS_200 = Buffer.from([0x88]);
const GRPC_OK = Buffer.concat([Buffer.from([0, 11]), Buffer.from('grpc-status'), Buffer.from([1, 48])]);
const good = Buffer.concat([
  frameOf(FRAME.headers, FLAG.endHeaders, 1, STATUS_200),
  frameOf(FRAME.data, 0, 1, frame(Buffer.from('answer'))),
  frameOf(FRAME.headers, FLAG.endHeaders | FLAG.end, 1, GRPC_OK),
]);

describe('HTTP/2 with a server that is broken', () => {
  let server: ByteServer;
  beforeAll(async () => void (server = await ByteServer.start()));
  afterAll(() => server.stop());

  const answerTo = (said: Buffer, timeoutMs = AMPLE): Promise<Buffer> => {
    server.said = said;
    return openChannel(server.endpoint).unary(PATH, QUESTION, timeoutMs);
  };

  it('is answered by good frames', async () => {
    expect(String(await answerTo(good))).toBe('answer');
  });

  it.each([
    ['a frame of a type that nobody knows', frameOf(77, 255, 1, Buffer.from('x'))],
    ['a priority', frameOf(2, 0, 1, Buffer.alloc(5))],
    ['data and a reset of a stream that has ended', good],
    ['more room', frames.windowUpdate(0, 1)],
    ['a ping', frameOf(FRAME.ping, 0, 0, Buffer.alloc(8))],
  ])('passes over %s', async (_, before) => {
    expect(String(await answerTo(Buffer.concat([before, good])))).toBe('answer');
  });

  it('reads headers with a priority, padding and continuations', async () => {
    const head = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0]), GRPC_OK.subarray(0, 4), Buffer.alloc(2)]);
    const said = Buffer.concat([
      frameOf(FRAME.headers, FLAG.endHeaders, 1, STATUS_200),
      frameOf(FRAME.data, 0, 1, frame(Buffer.from('answer'))),
      frameOf(FRAME.headers, FLAG.end | FLAG.padded | FLAG.priority, 1, head),
      frameOf(FRAME.continuation, 0, 1, GRPC_OK.subarray(4, 9)),
      frameOf(FRAME.continuation, FLAG.endHeaders, 1, GRPC_OK.subarray(9)),
    ]);
    expect(String(await answerTo(said))).toBe('answer');
  });

  it.each<[string, Buffer, string]>([
    ['data of a stream that was never opened', frameOf(FRAME.data, 0, 3, Buffer.from('x')), 'at a wrong place'],
    ['data of no stream', frameOf(FRAME.data, 0, 0, Buffer.from('x')), 'at a wrong place'],
    ['a frame that is too large', frames.headOf({ type: FRAME.data, flags: 0, stream: 1 }, 20_000), 'of 16384 allowed'],
    ['a push', frameOf(FRAME.pushPromise, FLAG.endHeaders, 1, Buffer.alloc(5)), 'a push'],
    ['a continuation of nothing', frameOf(FRAME.continuation, FLAG.endHeaders, 1, STATUS_200), 'of nothing'],
    ['a frame between headers', Buffer.concat([frameOf(FRAME.headers, 0, 1, STATUS_200), good]), 'between headers'],
    [
      'headers without end',
      Buffer.concat([
        frameOf(FRAME.headers, 0, 1, STATUS_200),
        ...Array.from({ length: 5 }, () => frameOf(FRAME.continuation, 0, 1, Buffer.alloc(16_384, 0x88))),
      ]),
      'more than 65536 bytes',
    ],
    [
      'headers of empty frames without end',
      Buffer.concat([
        frameOf(FRAME.headers, 0, 1, STATUS_200),
        ...Array.from({ length: 10_000 }, () => frameOf(FRAME.continuation, 0, 1, Buffer.alloc(0))),
      ]),
      'more than 65536 bytes',
    ],
    ['a dynamic table', frameOf(FRAME.headers, FLAG.endHeaders, 1, Buffer.from([0x3f, 0xe1, 0x1f])), 'dynamic table'],
    ['settings that are cut off', frameOf(FRAME.settings, 0, 0, Buffer.alloc(5)), 'cut off'],
    ['a window of four gigabytes', settingsOf([[4, 2 ** 32 - 1]]), 'wrong size'],
    ['frames of four gigabytes', settingsOf([[5, 2 ** 32 - 1]]), 'frames of a wrong size'],
    ['no more room at all', frames.windowUpdate(0, 0), 'wrong size'],
    ['room beyond all windows', frames.windowUpdate(0, 2 ** 31 - 1), 'wrong size'],
    ['a ping of nine bytes', frameOf(FRAME.ping, 0, 0, Buffer.alloc(9)), 'wrong size'],
    ['a goodbye that is cut off', frameOf(FRAME.goaway, 0, 0, Buffer.alloc(7)), 'cut off'],
    ['a goodbye with an error', frameOf(FRAME.goaway, 0, 0, Buffer.from([0, 0, 0, 1, 0, 0, 0, 2])), 'with code 2'],
    ['a goodbye to what has not begun', frameOf(FRAME.goaway, 0, 0, Buffer.alloc(8)), 'with code 0'],
    ['a reset', frames.resetOf(1), 'ended it'],
    ['an end without a status', frameOf(FRAME.data, FLAG.end, 1, frame(Buffer.from('answer'))), 'ended it'],
  ])('is in doubt after %s', async (_, said, reason) => {
    expect(await failureOf(answerTo(said))).toEqual({ fault: 'in-doubt', text: expect.stringContaining(reason) });
  });

  it('neither fails nor hangs, whatever bytes come, and is answered by the next connection', async () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.integer({ min: 0, max: 255 }),
      drop: fc.integer({ min: 0, max: 3 }),
    });
    const bytes = fc.array(change, { minLength: 1, maxLength: 6 }).map((changes) => {
      let said = Buffer.concat([
        frameOf(FRAME.ping, 0, 0, Buffer.alloc(8)),
        good,
        frameOf(FRAME.goaway, 0, 0, Buffer.alloc(8)),
      ]);
      for (const { at, byte, drop } of changes) {
        const place = at % said.length;
        said = Buffer.concat([said.subarray(0, place), Buffer.from([byte]), said.subarray(place + drop)]);
      }
      return said;
    });
    await fc.assert(
      fc.asyncProperty(bytes, async (said) => {
        const answer = await answerTo(said, 50).then(
          (message) => `answered ${message.length}`,
          (error: Error) => error.name,
        );
        expect(answer).toMatch(/^answered \d+$|Error$/);
        closeChannels();
      }),
      { numRuns: 100 },
    );
    expect(String(await answerTo(good))).toBe('answer');
  });

  it('gives up a server that asks and never takes an answer', async () => {
    // As much as the buffers of the line hold, and more.
    const pings = Buffer.concat(Array.from({ length: 1_000_000 }, () => frameOf(FRAME.ping, 0, 0, Buffer.alloc(8))));
    const { fault, text } = await failureOf(answerTo(pings));
    expect([fault, text]).toEqual(['in-doubt', expect.stringContaining('more questions than it takes answers')]);
  });
});
