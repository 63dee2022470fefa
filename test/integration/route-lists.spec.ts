import { once } from 'node:events';
import { connect } from 'node:net';
import WebSocket from 'ws';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { CertifiedNode } from '../harness/certified-node.js';
import type { Asked, SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

const ROUTE = '/v1/route-lists';
/** Keeps the editor in. */
const OWN = '* /v1/route-lists';
let doors: CertifiedNode;
let node: SecureNode;
let operator: string;
const records = new MemoryClusterKeys();

beforeAll(async () => {
  doors = await CertifiedNode.start({ keys: records });
  node = doors.node;
  operator = await node.make('operator', { kind: 'person', roles: ['operator'] });
});
afterAll(() => doors.stop());
beforeEach(() => node.ask('DELETE', ROUTE, node.admin));

const put = (listeners: unknown, headers: Record<string, string> = {}): Promise<Asked> =>
  node.ask('PUT', ROUTE, node.admin, { listeners }, headers);
const refused = ({ status, body }: Asked): unknown[] => [status, body.code];

/** Status and body of a request whose path goes as it is. */
async function sent(line: string, more = ''): Promise<{ status: number; text: string }> {
  const socket = connect(Number(new URL(node.url).port), '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => (text += part));
  const authorization = `Authorization: Bearer ${node.admin}\r\n`;
  socket.write(`${line} HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization}Connection: close\r\n${more}\r\n`, 'latin1');
  await once(socket, 'close');
  return { status: Number(/HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]), text };
}

async function upgraded(): Promise<number> {
  const socket = new WebSocket(`${node.url.replace('http', 'ws')}/mqtt`, 'mqtt');
  const status = await new Promise<number>((resolve) => {
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    socket.on('error', () => undefined);
  });
  socket.terminate();
  return status;
}

it('are refused before anybody is asked who they are, on their listener alone, and at once', async () => {
  expect((await put({ http: { deny: ['* /v1/tenants/**'] } })).status).toBe(201);
  for (const key of [node.admin, null, 'umk_wrong'])
    expect(refused(await node.ask('GET', '/v1/tenants/default', key))).toEqual([403, 'AUTH_204']);
  const secure = await doors.https('GET', '/v1/tenants/default', null, {
    headers: { authorization: `Bearer ${node.admin}` },
  });
  expect(secure.status).toBe(200);
  expect((await node.ask('GET', '/v1/things', node.admin)).status).toBe(200);
  const { body } = await node.ask('GET', '/v1/audit?outcome=refused', node.admin);
  expect(body.events).toContainEqual(
    expect.objectContaining({ action: 'tenant:get', actor: null, target: '/v1/tenants/default', code: 'AUTH_204' }),
  );
  await node.ask('DELETE', ROUTE, node.admin);
  expect((await node.ask('GET', '/v1/tenants/default', node.admin)).status).toBe(200);
});

it('close all that is not allowed, paths that do not exist too, but for probes of health', async () => {
  await put({ '*': { allow: ['GET /v1/things', '* /things/*/shadow', OWN] } });
  // Rows: method, path, status.
  for (const [method, path, status] of [
    ['GET', '/v1/things', 200],
    ['HEAD', '/v1/things', 200],
    ['GET', '/things/lamp/shadow', 404],
    ['GET', '/health/live', 200],
    ['GET', '/health/ready', 200],
    ['POST', '/v1/things', 403],
    ['GET', '/v1/watch', 403],
    ['GET', '/docs', 403],
    ['GET', '/openapi.json', 403],
    ['GET', '/', 403],
    ['GET', '/nothing', 403],
    ['PUT', '/v1/principals/eve', 403],
    ['POST', '/v1/auth/token', 403],
  ] as const) {
    const answer = await fetch(node.url + path, { method, headers: { authorization: `Bearer ${node.admin}` } });
    expect([method, path, answer.status]).toEqual([method, path, status]);
  }
  const { body } = await node.ask('PATCH', '/things/lamp/shadow', node.admin);
  expect(body.message).toMatch(/Method not allowed/);
});

// What a shape reaches without a list does not matter: with one it must reach nothing.
it.each([
  ...['GET /v1/tenants/default', 'HEAD /v1/tenants/default', 'GET //v1//tenants/default', 'GET /v1/./tenants/default'],
  ...[
    'GET /v1/tenants/default/',
    'GET /v1/%74enants/default',
    'GET /v1/%2e/tenants/default',
    'GET /v1%2Ftenants%2Fdefault',
  ],
  ...[
    'GET /v1/tenants/default?/v1/things',
    'GET /v1/tenants/default#/v1/things',
    'GET /v1/tenants#x',
    'GET /v1/tenants',
  ],
  ...['GET http://127.0.0.1/v1/tenants/default', 'GET /v1/things/../tenants/default', 'GET /v1/tenants/%64efault'],
  ...['GET /v1/tenants/../principals', 'GET /v1/things/..%2Ftenants/default', 'GET /v1\\tenants\\default', 'OPTIONS *'],
])('are not got round by %s', async (line) => {
  await put({ http: { deny: ['* /v1/tenants/**'] } });
  const { status, text } = await sent(line);
  expect([status, line.startsWith('HEAD') || text.includes('AUTH_204')]).toEqual([403, true]);
});

it('are not got round by what does not name a route', async () => {
  await put({ http: { deny: ['* /v1/tenants/**'] } });
  const sneaky = [
    ...['X-Original-URL: /v1/tenants/default', 'X-Rewrite-URL: /v1/tenants/default'],
    ...['X-HTTP-Method-Override: DELETE', 'X-Forwarded-Path: /v1/tenants/default', 'X-Forwarded-Proto: https'],
  ];
  for (const header of sneaky) {
    expect((await sent('GET /v1/things', `${header}\r\n`)).text).toContain('"things":');
    expect((await sent('GET /v1/tenants/default', `${header}\r\n`)).status).toBe(403);
  }
  for (const [line, expected] of [
    ['GET /v1/%zz', 400],
    ['GET /v1/%ff', 400],
    ['get /v1/tenants/default', 400],
    ['BREW /v1/tenants/default', 400],
  ] as const)
    expect([line, (await sent(line)).status]).toEqual([line, expected]);
});

it('close WebSockets as well', async () => {
  expect(await upgraded()).toBe(101);
  await put({ http: { deny: ['GET /mqtt'] } });
  expect(await upgraded()).toBe(403);
});

describe('an edit', () => {
  // Rows: listeners, what the refusal says.
  it.each([
    [{ http: { deny: ['* /**'] } }, /would close GET \/v1\/route-lists on the listener http/],
    [{ '*': { allow: ['GET /**'] } }, /would close PUT \/v1\/route-lists/],
    [{ http: { allow: [] } }, /would close GET/],
    [{ http: { deny: ['DELETE /v1/*'] } }, /would close DELETE/],
    [{ htttps: { deny: ['* /v1/**'] } }, /no listener htttps; there are http, https, grpc, grpcs, \*/],
    [{ http: { deny: ['HEAD /v1/things'] } }, /write GET/],
    [{ http: { deny: ['* /v1/things/'] } }, /empty segment/],
    [{ http: { deny: ['/v1/things'] } }, /http\.deny\[0\] must be a method/],
    [{ http: { deny: [], allowed: [] } }, /unknown/],
    [{ http: null }, /must be an object/],
    [undefined, /listeners/],
  ])('of %j is refused', async (listeners, reason) => {
    const { status, body } = await put(listeners);
    expect([status, body.detail]).toEqual([400, expect.stringMatching(reason)]);
    expect((await node.ask('GET', ROUTE, node.admin)).body).toEqual({ listeners: {} });
  });

  it('may close the other listener, is shown, and is not overwritten unseen', async () => {
    const first = await put({ https: { deny: ['* /**'] } });
    expect(first.body).toEqual({ listeners: { https: { allow: null, deny: ['* /**'] } } });
    expect((await doors.https('GET', '/health/live', null)).status).toBe(200);
    expect((await doors.https('GET', '/v1/things', null)).status).toBe(403);
    expect((await put({})).status).toBe(412);
    const shown = await node.ask('GET', ROUTE, node.admin);
    expect([shown.body, shown.headers.get('etag')]).toEqual([first.body, first.headers.get('etag')]);
    expect((await put({}, { 'if-match': shown.headers.get('etag')! })).status).toBe(200);
  });

  it('needs umbra:AdminTenants', async () => {
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect(refused(await node.ask(method, ROUTE, operator))).toEqual([403, 'AUTH_202']);
  });
});

it.each([
  ['of another version', '{"format":2,"listeners":{}}'],
  ['with a pattern of another version', '{"format":1,"listeners":{"https":{"allow":null,"deny":["GET /a//b"]}}}'],
])('close everything but health when they are %s, until they are gone', async (_, value) => {
  const access = records.under('access/');
  await access.commit({ guards: [], puts: [{ key: 'route-lists', value }], deletes: [] });
  const seen = async (path: string): Promise<number> => (await node.ask('GET', path, node.admin)).status;
  await until('the end of all routes', async () => (await seen('/v1/things')) === 403);
  expect([await seen(ROUTE), await seen('/health/live'), await seen('/health/ready')]).toEqual([403, 200, 200]);
  await access.commit({ guards: [], puts: [], deletes: ['route-lists'] });
  await until('all routes', async () => (await seen('/v1/things')) === 200);
});
