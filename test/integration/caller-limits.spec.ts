import { once } from 'node:events';
import { connect as connectTo, type Socket } from 'node:net';
import { connectAsync } from 'mqtt';
import { pino } from 'pino';
import { bulk, BulkClient } from '../harness/bulk-client.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

let node: SecureNode;
let lamp: string;
let service: string;
let busy: string;
const shadow = (thing: string, tail: string): string => `$aws/things/${thing}/shadow/${tail}`;
const MANY = 60;
/** Requests in flight of one principal, and of one connection of HTTP. */
const [AT_ONCE, AHEAD] = [80, 10];
/** Streams of one principal. */
const STREAMS = 5;
const MORE = {
  ...{ UMBRA_LIMIT_FAILURES: '20', UMBRA_LIMIT_PRINCIPAL: '100', UMBRA_AUTH_ISSUER: 'https://a.example' },
  ...{ UMBRA_LIMIT_IN_FLIGHT: String(AT_ONCE), UMBRA_LIMIT_CONNECTION: String(AHEAD) },
  UMBRA_LIMIT_STREAMS: String(STREAMS),
};

beforeAll(async () => {
  node = await startSecureNode({ environment: { UMBRA_LIMIT_THING: '20', ...MORE } });
  lamp = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
  service = await node.make('service', { kind: 'service', roles: ['service'] });
  busy = await node.make('busy', { kind: 'service', roles: ['service'] });
});
afterAll(() => node.stop());
// The clock of the node stands: what comes back is what a test gives.
beforeEach(() => node.clock.advance(60_000));

const count = <T>(all: readonly T[], wanted: T): number => all.filter((each) => each === wanted).length;

it('serves a thing as often as it may over HTTP, and its neighbour meanwhile', async () => {
  const get = (thing: string) => node.ask('GET', `/v1/things/${thing}/shadow`, service);
  const answers = await Promise.all(Array.from({ length: MANY }, () => get('lamp')));
  const all = answers.map(({ status }) => status);
  expect([count(all, 404), count(all, 429)]).toEqual([20, MANY - 20]);
  expect((await get('door')).status).toBe(404);
  const { status, headers, body } = await get('lamp');
  const names = ['retry-after', 'ratelimit', 'ratelimit-policy'];
  expect([status, body.code, ...names.map((name) => headers.get(name))]).toEqual([
    ...[429, 'AUTH_901', '1', '"thing";r=0;t=1', '"thing";q=20;w=1'],
  ]);
  node.clock.advance(100);
  expect([(await get('lamp')).status, (await get('lamp')).status, (await get('lamp')).status]).toEqual([404, 404, 429]);
});

it('rejects over MQTT what comes too often, and stays connected; a neighbour is served meanwhile', async () => {
  const [flood, bystander] = [await node.connect('lamp', lamp), await node.connect('service', service)];
  const codes: number[] = [];
  let accepted = 0;
  flood.on('message', (topic, payload) => {
    if (topic.endsWith('accepted')) accepted++;
    else codes.push((JSON.parse(payload.toString()) as { code: number }).code);
  });
  await flood.subscribeAsync([shadow('lamp', 'update/accepted'), shadow('lamp', 'update/rejected')]);
  const served = new Promise((resolve) => bystander.once('message', resolve));
  await bystander.subscribeAsync(shadow('door', 'update/accepted'));
  const update = '{"state":{"reported":{"a":1}}}';
  const floods = Array.from({ length: MANY }, () => flood.publishAsync(shadow('lamp', 'update'), update, { qos: 1 }));
  await bystander.publishAsync(shadow('door', 'update'), update, { qos: 1 });
  await Promise.all([served, ...floods]);
  await until('all answers', () => accepted + codes.length === MANY);
  expect([accepted, new Set(codes)]).toEqual([20, new Set([429])]);
  expect([flood.connected, bystander.connected]).toEqual([true, true]);
  await Promise.all([flood.endAsync(), bystander.endAsync()]);
});

it('keeps in the audit who came too often, and not each time', async () => {
  const all = (await node.ask('GET', '/v1/audit?limit=100&outcome=refused', node.admin)).body.events as {
    readonly action: string;
    readonly actor: { readonly id: string } | null;
    readonly code: string;
  }[];
  const of = (action: string) => all.filter((each) => each.action === action && each.code === 'AUTH_901');
  for (const [action, id] of [
    ['shadow:get', 'service'],
    ['mqtt:publish', 'lamp'],
  ] as const) {
    expect(new Set(of(action).map(({ actor }) => actor?.id))).toEqual(new Set([id]));
    expect(of(action).length).toBeLessThan(5);
  }
});

it('slows down who guesses the secret of a client, keeps that, and locks the client out nowhere', async () => {
  const post = async (path: string, client_secret: string) => {
    const form = { client_id: 'service', client_secret, grant_type: 'client_credentials', token: 'x' };
    const { status, body } = await node.ask('POST', path, null, new URLSearchParams(form).toString());
    return [status, body.code ?? body.error ?? null];
  };
  const wrong = `${service.slice(0, 10)}${service[10] === 'A' ? 'B' : 'A'}${service.slice(11)}`;
  const paths = ['token', 'revoke', 'introspect'].map((name) => `/v1/auth/${name}`);
  const ends: unknown[] = [];
  for (let n = 0; n < 30; n++) ends.push(await post(paths[n % 3]!, wrong));
  expect(ends).toEqual([...new Array(20).fill([401, 'AUTH_111']), ...new Array(10).fill([429, 'AUTH_903'])]);
  for (const path of paths) expect(await post(path, service)).toEqual([200, null]);
  const { body } = await node.ask('GET', '/v1/audit?limit=100&outcome=refused&target=/v1/auth/', node.admin);
  const seen = (body.events as { action: string; code: string }[]).map(({ action, code }) => `${action} ${code}`);
  const actions = ['token:grant', 'token:revoke', 'token:introspect'];
  const expected = actions.flatMap((action) => [`${action} AUTH_111`, `${action} AUTH_903`]);
  expect([...new Set(seen)].sort()).toEqual(expected.sort());
});

it('counts requests for tokens among those of their client', async () => {
  const form = { client_id: 'service', client_secret: service, grant_type: 'client_credentials' };
  const text = new URLSearchParams(form).toString();
  const answers = await Promise.all(Array.from({ length: 110 }, () => node.ask('POST', '/v1/auth/token', null, text)));
  const all = answers.map(({ status }) => status);
  expect([count(all, 200), count(all, 429)]).toEqual([100, 10]);
  const { headers, body } = await node.ask('POST', '/v1/auth/token', null, text);
  expect([headers.get('retry-after'), body.code, body.error]).toEqual(['1', 'AUTH_901', 'temporarily_unavailable']);
});

describe('lines of a bulk request', () => {
  const line = (thing: string, n: number) => ({ thing, desired: { n } });
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

  it('count like requests, and wait for their turn; a neighbour is served meanwhile', async () => {
    const client = new BulkClient(node.url, bearer(service));
    const results = client.results();
    client.send(...Array.from({ length: 30 }, (_, n) => line('bulk', n)));
    client.end();
    for (let n = 1; n <= 20; n++) expect((await results.next()).value).toMatchObject({ line: n, version: n });
    let next = false;
    const late = results.next().then(({ value }) => ((next = true), value as object));
    expect((await node.ask('GET', '/v1/things/bulk-other/shadow', busy)).status).toBe(404);
    expect((await node.ask('GET', '/v1/things/bulk/shadow', busy)).status).toBe(429);
    expect(next).toBe(false);
    node.clock.advance(1_000);
    expect(await late).toMatchObject({ line: 21, version: 21 });
    const rest = [];
    for await (const result of results) rest.push(result);
    expect(rest.at(-1)!.end).toEqual({ reason: 'complete', lines: 30, changed: 30, replayed: 0, refused: 0 });
  });

  it('are judged by policies one by one, and refusals are in the audit', async () => {
    const all = await bulk(node.url, [line('lamp', 1), line('door', 1), '{', line('lamp', 2)], bearer(lamp));
    const shown = all.map(({ version, error, end }) => end?.reason ?? error?.code ?? error?.status ?? typeof version);
    expect(shown).toEqual(['number', 'AUTH_202', 400, 'number', 'complete']);
    const { events } = (await node.ask('GET', '/v1/audit?action=bulk:update', node.admin)).body as { events: object[] };
    expect(events).toEqual([
      expect.objectContaining({ target: '/v1/bulk/thing/door', outcome: 'refused', code: 'AUTH_202' }),
    ]);
  });

  it('end when their caller may do nothing any more', async () => {
    const key = await node.make('bulker', { kind: 'service', roles: ['service'] });
    const client = new BulkClient(node.url, bearer(key));
    const results = client.results();
    client.send(line('bulk-end', 1));
    expect((await results.next()).value).toMatchObject({ version: 1 });
    const { headers } = await node.ask('GET', '/v1/principals/bulker', node.admin);
    const etag = { 'if-match': headers.get('etag')! };
    expect((await node.ask('DELETE', '/v1/principals/bulker', node.admin, undefined, etag)).status).toBe(204);
    client.send(line('bulk-end', 2));
    expect([(await results.next()).value, (await results.next()).value]).toMatchObject([
      { line: 2, error: { status: 403 } },
      { end: { reason: 'forbidden', changed: 1, refused: 1 } },
    ]);
  });
});

it('does not let strangers use up what a thing may have', async () => {
  const other = await node.make('other', { thing: 'other', roles: ['device'] });
  for (let n = 0; n < MANY; n++) expect((await node.ask('GET', '/v1/things/lamp/shadow', other)).status).toBe(403);
  expect((await node.ask('GET', '/v1/things/lamp/shadow', lamp)).status).toBe(200);
});

it('slows down who guesses at either door, and locks nobody out', async () => {
  const wrong = `${lamp.slice(0, 10)}${lamp[10] === 'A' ? 'B' : 'A'}${lamp.slice(11)}`;
  const guess = async (): Promise<string> =>
    (await node.ask('GET', '/v1/things/lamp/shadow', wrong)).body.code as string;
  const codes: string[] = [];
  for (let n = 0; n < 30; n++) codes.push(await guess());
  expect(codes).toEqual([...new Array<string>(20).fill('AUTH_101'), ...new Array<string>(10).fill('AUTH_903')]);
  const connect = (protocolVersion: 4 | 5, password: string) =>
    connectAsync(node.mqttUrl, { clientId: 'lamp', username: 'x', password, protocolVersion, reconnectPeriod: 0 });
  await expect(connect(5, wrong)).rejects.toMatchObject({ code: 0x9f });
  await expect(connect(4, wrong)).rejects.toMatchObject({ code: 3 });
  // From the same address.
  expect((await node.ask('GET', '/v1/things/lamp/shadow', lamp)).status).toBe(200);
  await (await connect(5, lamp)).endAsync();
  expect((await node.ask('GET', '/v1/things/lamp/shadow', null)).status).toBe(401);
});

it('follows the limits of a tenant at once', async () => {
  await node.ask('PUT', '/v1/tenants/small', node.admin, { limits: { requestsPerSecond: 3 } });
  const key = await node.make('service', { kind: 'service', roles: ['service'] }, 'small');
  const all = async (): Promise<number[]> => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => node.ask('GET', '/v1/things', key)));
    return answers.map(({ status }) => status);
  };
  expect(count(await all(), 200)).toBe(3);
  const { headers, body } = await node.ask('GET', '/v1/tenants/small', node.admin);
  expect(body.limits).toEqual({ requestsPerSecond: 3 });
  const replace = (limits: object) =>
    node.ask('PUT', '/v1/tenants/small', node.admin, { limits }, { 'if-match': headers.get('etag')! });
  expect((await replace({ perSecond: 3 })).body.detail).toMatch(/There is no limit perSecond; limits are requestsPer/);
  expect((await replace({ requestsPerSecond: 0 })).status).toBe(200);
  expect(count(await all(), 200)).toBe(10);
});

/** A connection on which these bytes were sent. */
async function sent(bytes: string): Promise<Socket> {
  const socket = connectTo(Number(new URL(node.url).port), '127.0.0.1').setNoDelay();
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'connect');
  return socket;
}

const head = (line: string, key: string): string =>
  `${line} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\n`;

it('works on a bounded number of requests of a principal at once, whatever doors they come by', async () => {
  const open = Array.from({ length: AT_ONCE }, (_, i) =>
    sent(`${head(`PATCH /v1/things/busy-${i}/shadow/desired`, busy)}Content-Length: 2\r\n\r\n{`),
  );
  const busy429 = async (): Promise<unknown[]> => {
    // For the limit of a second.
    node.clock.advance(1_000);
    const { status, headers, body } = await node.ask('GET', '/v1/auth/me', busy);
    return [status, headers.get('retry-after'), body.code];
  };
  const sockets = await Promise.all(open);
  await until('all in flight', async () => (await busy429())[0] === 429);
  expect(await busy429()).toEqual([429, '1', 'AUTH_902']);
  expect((await node.ask('GET', '/v1/auth/me', service)).status).toBe(200);
  const client = await node.connect('busy', busy);
  const rejected = new Promise<Buffer>((resolve) => client.once('message', (_, payload) => resolve(payload)));
  await client.subscribeAsync(shadow('door', 'get/rejected'));
  await expect(client.publishAsync(shadow('door', 'get'), '', { qos: 1 })).rejects.toMatchObject({ code: 0x97 });
  expect(JSON.parse((await rejected).toString())).toMatchObject({ code: 429, message: expect.stringContaining('80') });
  expect(client.connected).toBe(true);
  // Some are answered, the others given up.
  for (const [i, socket] of sockets.entries()) {
    if (i % 2 === 0) socket.end('}');
    else socket.destroy();
  }
  await until('room', () => node.access.inFlight.size === 0);
  expect((await node.ask('GET', '/v1/auth/me', busy)).status).toBe(200);
  await client.publishAsync(shadow('door', 'get'), '', { qos: 1 });
  await client.endAsync();
});

it('opens a bounded number of streams of a principal, and those of others meanwhile', async () => {
  const watch = async (key: string): Promise<{ answer: Response; end: AbortController }> => {
    const end = new AbortController();
    const headers = { authorization: `Bearer ${key}` };
    return { answer: await fetch(`${node.url}/v1/watch`, { headers, signal: end.signal }), end };
  };
  const open = await Promise.all(Array.from({ length: STREAMS }, () => watch(busy)));
  expect(open.map(({ answer }) => answer.status)).toEqual(new Array(STREAMS).fill(200));
  const { answer } = await watch(busy);
  const { code, detail } = (await answer.json()) as { code: string; detail: string };
  expect([answer.status, answer.headers.get('retry-after'), code]).toEqual([429, '1', 'AUTH_902']);
  expect(detail).toContain('5 streams of one principal');
  // Its requests are served, and its neighbour's streams.
  expect((await node.ask('GET', '/v1/auth/me', busy)).status).toBe(200);
  const other = await watch(service);
  expect(other.answer.status).toBe(200);
  open[0]?.end.abort();
  await until('room', async () => {
    node.clock.advance(1_000);
    const next = await watch(busy);
    open.push(next);
    return next.answer.status === 200;
  });
  for (const { end } of [...open, other]) end.abort();
  await until('the end of all', () => node.access.streams.size === 0);
});

it('answers a bounded number of requests that one connection has sent ahead', async () => {
  const one = `${head('GET /v1/auth/me', service)}\r\n`;
  const last = `${head('GET /v1/auth/me', service)}Connection: close\r\n\r\n`;
  const socket = await sent(one.repeat(3 * AHEAD) + last);
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => (text += part));
  await once(socket, 'close');
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  expect(statuses).toHaveLength(3 * AHEAD + 1);
  expect(statuses.slice(0, AHEAD)).toEqual(new Array<number>(AHEAD).fill(200));
  expect(count(statuses, 429)).toBeGreaterThan(0);
  expect(node.access.inFlight.size).toBe(0);
});

it('takes a bounded number of HTTP connections of one address, and those of another meanwhile', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  const most = 4;
  const crowded = await startSecureNode({ logger, environment: { UMBRA_LIMIT_ADDRESS: String(most) } });
  const port = Number(new URL(crowded.url).port);
  const sockets: Socket[] = [];
  const open = async (from: string): Promise<Socket> => {
    const socket = connectTo({ port, host: '127.0.0.1', localAddress: from });
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write('GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    return socket;
  };
  /** First line of the answer; null: it was closed without one. */
  const answer = async (socket: Socket): Promise<string | null> => {
    const first = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    return Buffer.isBuffer(first[0]) ? (first[0].toString().split('\r\n')[0] ?? '') : null;
  };
  const served = 'HTTP/1.1 200 OK';
  try {
    for (let i = 0; i < most; i++) expect(await answer(await open('127.0.0.1'))).toBe(served);
    for (let i = 0; i < 3; i++) expect(await answer(await open('127.0.0.1'))).toBeNull();
    expect(await answer(await open('127.0.0.2'))).toBe(served);
    expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({ reason: 'too-many-of-address', ofAddress: most, refused: 1 });
    // Whoever leaves makes room.
    sockets[0]!.destroy();
    await until('a place of the one that left', async () => (await answer(await open('127.0.0.1'))) === served);
  } finally {
    for (const socket of sockets) socket.destroy();
    await crowded.stop();
  }
});
