import { once } from 'node:events';
import { connect, type ClientHttp2Session } from 'node:http2';
import { createServer, type AddressInfo, type Server as NetServer } from 'node:net';
import { Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { MessageStream } from './message-stream.js';
import { resetUnlessTaken } from './inside-call.js';

type Call = ServerWritableStream<Buffer, Buffer>;

/** Over the library and HTTP/2 as they are: a reader whose window is as large as a test wants. */
describe('the stream of a call', () => {
  const same = (bytes: Buffer): Buffer => bytes;
  let server: Server;
  let listener: NetServer;
  let session: ClientHttp2Session;
  let taken: (call: Call) => void;

  beforeAll(async () => {
    server = new Server();
    const method = { path: '/a.B/C', requestStream: false, responseStream: true, requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same }; // prettier-ignore
    server.addService({ C: method }, { C: (call: Call) => taken(call) });
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    listener = createServer((socket) => injector.injectConnection(socket)).listen(0, '127.0.0.1');
    await once(listener, 'listening');
  });
  afterEach(() => session.destroy());
  afterAll(() => {
    listener.close();
    server.forceShutdown();
  });

  async function called(
    initialWindowSize: number,
  ): Promise<{ call: Call; stream: ReturnType<ClientHttp2Session['request']> }> {
    const { port } = listener.address() as AddressInfo;
    session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize } });
    session.on('error', () => undefined);
    const arrived = new Promise<Call>((resolve) => (taken = resolve));
    const stream = session.request({ ':method': 'POST', ':path': '/a.B/C', 'content-type': 'application/grpc' });
    stream.on('error', () => undefined);
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
    return { call: await arrived, stream };
  }

  it('makes its writer wait for a reader that is behind, and no longer than that', async () => {
    const { call, stream } = await called(100);
    const messages = new MessageStream(call, { maxBytes: 1_000 });
    expect(messages.write(Buffer.alloc(400))).toBe(true);
    const second = messages.write(Buffer.alloc(700));
    expect(second).toBeInstanceOf(Promise);
    stream.resume();
    expect(await second).toBe(true);
    call.end();
    await once(stream, 'close');
    expect(messages.write(Buffer.alloc(1))).toBe(false);
  });

  it('is over for a reader that takes nothing, and its call is cut', async () => {
    const { call, stream } = await called(0);
    const messages = new MessageStream(call, { maxBytes: 1, stallMs: 20 });
    expect(await messages.write(Buffer.alloc(10))).toBe(false);
    call.end();
    resetUnlessTaken(call, 20);
    await once(stream, 'close');
    // CANCEL of RFC 9113 section 7.
    expect(stream.rstCode).toBe(8);
  });

  it('is over when its caller goes, or nobody needs what waits', async () => {
    const { call, stream } = await called(0);
    const messages = new MessageStream(call, { maxBytes: 1 });
    let isClosed = false;
    messages.onClose(() => (isClosed = true));
    const abandoned = messages.write(Buffer.alloc(10));
    messages.abandon();
    expect(await abandoned).toBe(false);
    stream.close();
    await once(call, 'cancelled');
    expect([isClosed, messages.write(Buffer.alloc(1))]).toEqual([true, false]);
  });
});
