import { once } from 'node:events';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { fileURLToPath } from 'node:url';
import type { ServerInterceptor, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Audit } from '../access/audit.js';
import type { Authorizer } from '../access/authorizer.js';
import { ANONYMOUS } from '../access/principal.js';
import { ALL_ROUTES } from '../access/route-guard.js';
import type { Config } from '../config/config.js';
import { SYSTEM_CLOCK } from '../resilience/clock.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { GrpcGate } from './authenticate.js';
import { GrpcConnections } from './grpc-connections.js';
import type { DeclaredMethod } from './grpc-handlers.js';
import { GrpcHealth } from './grpc-health.js';
import { loadServices } from './grpc-methods.js';
import { GrpcServer } from './grpc-server.js';

const UPDATE = '/umbra.v1.Shadows/Update';
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
/** Statuses of gRPC. */
const [INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED] = ['3', '4', '8'];
/** Codes of a reset, of RFC 9113 section 7. */
const [NO_ERROR, CANCEL] = [0, 8];

/** Peers that no client of gRPC plays, over HTTP/2 as it is. */
describe('a peer', () => {
  const updates: unknown[] = [];
  let answered: object | undefined;
  let server: GrpcServer;
  let session: ClientHttp2Session | undefined;
  let patient: ServerInterceptor;
  let hasty: ServerInterceptor;
  let intercept: ServerInterceptor;

  beforeAll(async () => {
    const logger = SILENT_LOGGER;
    const services = loadServices(fileURLToPath(new URL('../shadow/shadow.proto', import.meta.url)));
    const connections = new GrpcConnections({ max: 50, ofNetwork: 0 }, logger);
    const declared = {
      handler: async () => ({}),
      action: 'shadow:update',
      about: () => null,
      heeds: [],
    } as unknown as DeclaredMethod;
    const parts = {
      ...{ connections, logger, clock: SYSTEM_CLOCK },
      authenticator: { isRequired: false, signatures: null, authenticate: () => ANONYMOUS },
      authorizer: { isActive: () => true, mayEver: () => true } as unknown as Authorizer,
      audit: { record: () => undefined } as unknown as Audit,
      routes: ALL_ROUTES,
    };
    const methods = new Map([[UPDATE, declared]]);
    patient = new GrpcGate(parts, methods).intercept;
    hasty = new GrpcGate(parts, methods, { receiveMs: 20, takeMs: 20 }).intercept;
    server = new GrpcServer({
      ...{ logger, connections, services, asksForCertificates: false },
      config: { grpc: { port: 0, tlsPort: null, host: '127.0.0.1' }, tls: null } as Config,
      health: new GrpcHealth(() => true, services.names),
      intercept: (method, call) => intercept(method, call),
    });
    server.add(
      { call: services.methods.get(UPDATE)! },
      {
        call: (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>) => {
          answered = call;
          updates.push(call.request);
          done(null, {});
        },
      },
    );
    await server.listen();
  });
  beforeEach(() => {
    intercept = patient;
    updates.length = 0;
  });
  afterEach(() => session?.destroy());
  afterAll(async () => {
    const closed = server.shutdown();
    server.destroy();
    await closed;
  });

  function open(path: string, headers: object = {}, initialWindowSize = 65_535): ClientHttp2Stream {
    if (session === undefined || session.destroyed) {
      session = connect(server.addresses().grpc!, { settings: { initialWindowSize } });
      session.on('error', () => undefined);
    }
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      ...headers,
    });
    stream.on('error', () => undefined);
    return stream;
  }

  it('that goes on sending after a refusal is told to stop', async () => {
    const stream = open(UPDATE, { 'if-match': '1' });
    stream.write(framed(Buffer.alloc(1_000), 100_000));
    expect(await ended(stream)).toEqual({ status: INVALID_ARGUMENT, code: NO_ERROR, bytes: 0 });
  });

  it.each(['Check', 'Watch'])('sends no half of a message to health, or one that is too long: %s', async (method) => {
    const path = `/grpc.health.v1.Health/${method}`;
    const long = open(path);
    long.write(framed(Buffer.alloc(1_000), 5_000));
    expect(await ended(long)).toMatchObject({ status: RESOURCE_EXHAUSTED, code: NO_ERROR });
    intercept = hasty;
    const half = open(path);
    half.write(framed(Buffer.alloc(10), 20));
    expect(await ended(half)).toMatchObject({ status: DEADLINE_EXCEEDED, code: NO_ERROR });
  });

  it('has a hundred answers of reflection in one call', async () => {
    const stream = open(REFLECTION);
    for (let i = 0; i <= 100; i++) stream.write(LIST);
    const { bytes, ...end } = await ended(stream);
    expect(end).toEqual({ status: RESOURCE_EXHAUSTED, code: NO_ERROR });
    const one = open(REFLECTION);
    one.end(LIST);
    expect(bytes).toBe((await ended(one)).bytes * 100);
  });

  it('that reads no answer of reflection is cut', async () => {
    intercept = hasty;
    const stream = open(REFLECTION, {}, 0);
    for (let i = 0; i < 10; i++) stream.write(LIST);
    expect(await ended(stream)).toMatchObject({ code: CANCEL, bytes: 0 });
  });

  it('that ends its message after the deadline has nothing done', async () => {
    const late = open(UPDATE, { 'grpc-timeout': '1m' });
    late.write(framed(Buffer.from('\n\x04late')));
    const [head] = (await once(late, 'response')) as [Record<string, string>];
    late.end();
    const next = open(UPDATE);
    next.end(framed(Buffer.from('\n\x04next')));
    await Promise.all([ended(late), ended(next)]);
    expect([head['grpc-status'], updates]).toEqual([DEADLINE_EXCEEDED, [expect.objectContaining({ thing: 'next' })]]);
  });

  it('is reached by parts of the library that nobody has promised', async () => {
    let outer: object | undefined;
    intercept = (method, call) => patient(method, (outer = call));
    const stream = open(UPDATE);
    stream.end(framed(Buffer.from('\n\x04lamp')));
    await ended(stream);
    const { stream: http2, maxReceiveMessageSize, decoder } = outer as Record<string, unknown>;
    const found = { http2: (http2 as object).constructor.name, maxReceiveMessageSize, decoder };
    const bytes = 1280 * 1024;
    expect(found).toMatchObject({ http2: 'ServerHttp2Stream', maxReceiveMessageSize: bytes, decoder: { maxReadMessageLength: bytes } }); // prettier-ignore
    // What a handler is given: the call above, and its interceptor between.
    expect((answered as { call?: { nextCall?: object } }).call?.nextCall).toBe(outer);
  });

  it('watches health ten times', async () => {
    const watches = Array.from({ length: 10 }, () => open('/grpc.health.v1.Health/Watch'));
    for (const watch of watches) watch.end(framed(Buffer.alloc(0)));
    await Promise.all(watches.map((watch) => once(watch, 'data')));
    const more = open('/grpc.health.v1.Health/Watch');
    more.end(framed(Buffer.alloc(0)));
    expect(await ended(more)).toMatchObject({ status: RESOURCE_EXHAUSTED, bytes: 0 });
  });
});

/** A message, or the beginning of a longer one. */
function framed(bytes: Buffer, length = bytes.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

/** Asks reflection for all services. */
const LIST = framed(Buffer.from([0x3a, 0x01, 0x2a]));

async function ended(stream: ClientHttp2Stream): Promise<{ status: unknown; code: number; bytes: number }> {
  let status: unknown;
  let bytes = 0;
  stream.on('response', (head) => (status ??= head['grpc-status']));
  stream.on('trailers', (trailers) => (status ??= trailers['grpc-status']));
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  if (!stream.closed) await once(stream, 'close');
  return { status, code: stream.rstCode, bytes };
}
