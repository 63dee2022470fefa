import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { credentials, Metadata, type ChannelCredentials } from '@grpc/grpc-js';
import { CertifiedNode } from '../harness/certified-node.js';
import { GrpcClient, sendRaw } from '../harness/grpc-client.js';
import { growthOf, readMetrics } from '../harness/metrics-page.js';
import { hasProtoc, OtlpReceiver } from '../harness/otlp-receiver.js';
import { freePort } from '../harness/ports.js';
import type { SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';
import type * as x509 from '../harness/x509.js';

let certified: CertifiedNode;
let node: SecureNode;
let receiver: OtlpReceiver;
let client: GrpcClient;
let admin: string;
let hasEnded = false;

beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  certified = await CertifiedNode.start({
    environment: {
      UMBRA_TRACE_ENDPOINT: receiver.url,
      UMBRA_GRPC_PORT: String(await freePort()),
      UMBRA_GRPCS_PORT: String(await freePort()),
      UMBRA_GRPC_MAX_CONNECTIONS: '6',
      UMBRA_LIMIT_STREAMS: '2',
      UMBRA_METRICS_PORT: '0',
    },
  });
  node = certified.node;
  admin = node.admin;
  client = await GrpcClient.connect(node.grpcUrl!);
});
afterAll(async () => {
  client.close();
  if (!hasEnded) await certified.stop();
  await receiver.stop();
});

const tlsOf = (shown: x509.Issued | null): ChannelCredentials => {
  const [key, pem] = shown ? [Buffer.from(shown.key), Buffer.from(shown.pem)] : [null, null];
  return credentials.createSsl(null, key, pem, { rejectUnauthorized: false });
};

(hasProtoc ? it : it.skip)('goes on with the trace of a call, in what streams tell of its change too', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const reader = client.stream('Shadows/Watch', { thing: ['traced'] }, admin);
  await until('the stream', () => reader.of('bookmark').length > 0);
  const carry = (method: string, request: object, more: Record<string, string> = {}) =>
    client.carry(method, request, { traceparent, ...more }, admin);
  const state = { reported: { n: 2 } };
  const transaction = JSON.stringify({ operations: [{ op: 'update', thing: 'traced', state }] });
  await carry('Shadows/Update', { thing: 'traced', patch: '{"reported":{"n":1}}' }, { tracestate: 'a=1' });
  await carry('Transactions/Update', { transaction });
  await carry('Shadows/Delete', { thing: 'traced' });
  await until('the changes', () => reader.of('change').length === 3);
  reader.call.cancel();
  const names = ['grpc update', 'grpc transaction', 'grpc delete'];
  const spans = await until('the spans', async () => {
    const found = (await receiver.spans()).filter(({ name }) => names.includes(name));
    return found.length === 3 && found;
  });
  expect(spans.map(({ name, parentSpanId, attributes }) => [name, parentSpanId, attributes['rpc.method']])).toEqual([
    ['grpc update', 'b7ad6b7169203331', '/umbra.v1.Shadows/Update'],
    ['grpc transaction', 'b7ad6b7169203331', '/umbra.v1.Transactions/Update'],
    ['grpc delete', 'b7ad6b7169203331', '/umbra.v1.Shadows/Delete'],
  ]);
  expect(reader.of('change').map(({ change }) => [change.traceparent, change.tracestate])).toEqual(
    spans.map(({ traceId, spanId }, i) => [`00-${traceId}-${spanId}-01`, i === 0 ? 'a=1' : undefined]),
  );
});

describe('route lists', () => {
  it('close methods of one listener before anybody is asked who they are, but for health', async () => {
    const before = await readMetrics(node.metricsUrl!);
    const listeners = { grpc: { allow: ['POST /umbra.v1.Things/**'], deny: ['* /umbra.v1.*/Watch'] } };
    expect((await node.ask('PUT', '/v1/route-lists', admin, { listeners })).status).toBe(201);
    const closed = { status: 'PERMISSION_DENIED', reason: 'ROUTE_NOT_ALLOWED', facts: { code: 'AUTH_204' } };
    const get = ['Shadows/Get', { thing: 'lamp' }] as const;
    for (const key of [admin, null]) expect(await client.failure(...get, key)).toMatchObject(closed);
    expect(await client.stream('Shadows/Watch', {}, admin).ended).toMatchObject(closed);
    // So is reflection.
    await expect(GrpcClient.connect(node.grpcUrl!)).rejects.toMatchObject({ code: 7 });
    expect(await client.ask('Things/List', {}, admin)).toMatchObject({ things: [] });
    expect(await client.ask('Health/Check', {})).toMatchObject({ status: 'SERVING' });
    const secure = await GrpcClient.connect(node.grpcsUrl!, tlsOf(null));
    expect(await secure.failure(...get, admin)).toMatchObject({ status: 'NOT_FOUND' });
    secure.close();
    const { events } = (await node.ask('GET', '/v1/audit?outcome=refused', admin)).body;
    expect(events).toContainEqual(
      expect.objectContaining({ action: 'shadow:get', actor: null, target: '/umbra.v1.Shadows/Get', code: 'AUTH_204' }),
    );
    await node.ask('DELETE', '/v1/route-lists', admin);
    expect(await client.failure(...get, admin)).toMatchObject({ status: 'NOT_FOUND' });
    const of = (operation: string, outcome: string) =>
      `umbra_requests_total{door="grpc",operation="${operation}",outcome="${outcome}"}`;
    const after = await readMetrics(node.metricsUrl!);
    expect(after.get('umbra_tls_not_after_seconds{use="grpcs"}')).toBeGreaterThan(Date.now() / 1000);
    expect(growthOf(before, after, /^umbra_requests_total.door="grpc"/)).toEqual({
      [of('get', 'denied')]: 2,
      [of('watch', 'denied')]: 1,
      // Reflection.
      [of('other', 'denied')]: 1,
      [of('list', 'ok')]: 1,
      [of('get', 'not_found')]: 2,
    });
  });
});

describe('a client certificate', () => {
  it('is a credential as over HTTPS, and nothing else of TLS is', async () => {
    const authority = certified.authority();
    await certified.register(authority);
    await node.make('lamp', { thing: 'lamp', roles: ['device'] });
    const update = { thing: 'lamp', patch: '{"reported":{"on":true}}' };
    const lamp = await GrpcClient.connect(node.grpcsUrl!, tlsOf(certified.device(authority, 'lamp')));
    const outcomes = [
      await lamp.try('Shadows/Update', update, null, {}),
      await lamp.try('Shadows/Get', { thing: 'door' }, null, {}),
      // A key counts before it.
      await lamp.try('Shadows/Get', { thing: 'lamp' }, 'umbra_wrong', {}),
    ];
    lamp.close();
    expect(outcomes).toMatchObject([
      { answer: { version: 1 } },
      { failure: { status: 'PERMISSION_DENIED' } },
      { failure: { status: 'UNAUTHENTICATED' } },
    ]);
    for (const shown of [null, certified.device(certified.authority(), 'lamp')]) {
      const stranger = await GrpcClient.connect(node.grpcsUrl!, tlsOf(shown));
      const code = shown === null ? 'AUTH_101' : 'AUTH_109';
      expect(await stranger.failure('Shadows/Get', { thing: 'lamp' })).toMatchObject({ facts: { code } });
      stranger.close();
    }
  });
});

describe('what is too much', () => {
  it('is a message of 5 MB, or metadata of 20 KB, and others go on', async () => {
    const large = client.failure('Shadows/Update', { thing: 'a', patch: 'x'.repeat(5 * 1024 * 1024) }, admin);
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${admin}`);
    metadata.set('x-much', 'x'.repeat(20_000));
    const much = client.try('Shadows/Get', { thing: 'lamp' }, metadata, {});
    for (let i = 0; i < 20; i++) await client.ask('Shadows/Get', { thing: 'lamp' }, admin);
    expect(await large).toMatchObject({ status: 'RESOURCE_EXHAUSTED' });
    expect(await much).toMatchObject({ failure: { status: 'INVALID_ARGUMENT', reason: 'INVALID_REQUEST' } });
  });

  it('is a third stream of one principal, until one of the others is cancelled or late', async () => {
    const open = client.stream('Shadows/Watch', {}, admin);
    const late = client.stream('Shadows/Watch', {}, admin, { deadline: Date.now() + 2_000 });
    await until('both', () => open.messages.length > 0 && late.messages.length > 0);
    const third = await client.stream('Shadows/Watch', {}, admin).ended;
    expect(third).toMatchObject({ status: 'RESOURCE_EXHAUSTED', facts: { code: 'AUTH_902' } });
    expect(await late.ended).toMatchObject({ status: 'DEADLINE_EXCEEDED' });
    const admitted = (): Promise<boolean> => {
      const again = client.stream('Shadows/Watch', {}, admin);
      return until('its first message, or its end', async () => {
        if (again.messages.length > 0) return (again.call.cancel(), [true]);
        return (await Promise.race([again.ended, null])) && [false];
      }).then(([isIn]) => isIn!);
    };
    await until('a place', admitted);
    open.call.cancel();
    await open.ended;
  });

  it('is a seventh connection, for which an idle one gives way and one with a call does not', async () => {
    const reader = client.stream('Shadows/Watch', {}, admin);
    await until('the stream', () => reader.messages.length > 0);
    const idle = await Promise.all(Array.from({ length: 12 }, () => opened()));
    const other = await GrpcClient.connect(node.grpcUrl!);
    await other.ask('Shadows/Update', { thing: 'lamp', patch: '{"reported":{"on":false}}' }, admin);
    await until('the change', () => reader.of('change').length > 0);
    await until('the end of those that were too many', () => idle.filter(({ destroyed }) => destroyed).length >= 7);
    for (const socket of idle) socket.destroy();
    other.close();
    reader.call.cancel();
  });
});

describe('bytes that no client of gRPC sends', () => {
  it.each<[string, Buffer, string]>([
    // Field 1 is the thing, field 3 the patch; latin1 makes one byte of each character.
    ['text that is no UTF-8', Buffer.from('\n\x04lamp\x1a\x16{"reported":{"a":"\xff"}}', 'latin1'), 'NOT_UTF8'],
    ['a field of a newer version', Buffer.from('\n\x04lamp\x1a\x02{}\xfa\x01\x01x', 'latin1'), 'INVALID_REQUEST'],
    ['no message', Buffer.from([0x0a, 0x7f, 1]), 'INVALID_REQUEST'],
  ])('of a message are refused: %s', async (_what, bytes, reason) => {
    const outcome = await sendRaw(node.grpcUrl!, '/umbra.v1.Shadows/Update', bytes, admin);
    expect(outcome).toMatchObject({ status: 'INVALID_ARGUMENT', reason });
  });

  it('of another protocol end their connection alone', async () => {
    for (const sent of ['GET / HTTP/1.1\r\nhost: a\r\n\r\n', '\x16\x03\x01\x00\x05hello', '\0'.repeat(1000)]) {
      const socket = await opened();
      socket.write(sent);
      await until('its end', () => socket.destroyed);
    }
    const session = connectHttp2(node.grpcUrl!);
    session.on('error', () => undefined);
    const answers = [
      { ':method': 'GET', ':path': '/' },
      { ':method': 'POST', ':path': '/umbra.v1.Shadows/Get' },
      { ':method': 'POST', ':path': '/umbra.v1.Shadows/Nothing', 'content-type': 'application/grpc' },
    ].map(async (headers) => {
      const stream = session.request(headers, { endStream: true });
      const [head] = (await once(stream, 'response')) as [Record<string, string>];
      stream.close();
      return [head[':status'], head['grpc-status']];
    });
    expect(await Promise.all(answers)).toEqual([
      [415, undefined],
      [415, undefined],
      [200, '12'],
    ]);
    session.destroy();
    expect(await client.ask('Shadows/Get', { thing: 'lamp' }, admin)).toMatchObject({ thing: 'lamp' });
  });
});

// The last one: the node is gone afterwards.
describe('a node that ends', () => {
  it('says so to health and streams, and finishes', async () => {
    expect(await client.ask('Health/Check', {})).toEqual({ status: 'SERVING' });
    expect(await client.ask('Health/Check', { service: 'umbra.v1.Shadows' })).toEqual({ status: 'SERVING' });
    expect(await client.failure('Health/Check', { service: 'other' })).toMatchObject({ status: 'NOT_FOUND' });
    const health = client.stream('Health/Watch', {});
    const reader = client.stream('Shadows/Watch', {}, admin);
    await until('both', () => health.messages.length > 0 && reader.messages.length > 0);
    hasEnded = true;
    await certified.stop();
    expect(await health.ended).toMatchObject({ status: 'UNAVAILABLE' });
    expect(health.messages.map(({ status }) => status)).toEqual(['SERVING', 'NOT_SERVING']);
    expect(await reader.ended).toMatchObject({ status: 'UNAVAILABLE', reason: 'DRAINING' });
    expect(reader.of('end').map(({ end }) => end.reason)).toEqual(['draining']);
  });
});

async function opened(): Promise<Socket> {
  const { hostname, port } = new URL(node.grpcUrl!);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  // Else it would not notice its end.
  socket.resume();
  await once(socket, 'connect');
  return socket;
}
