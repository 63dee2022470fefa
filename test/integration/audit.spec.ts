import { connect as dial } from 'node:net';
import { connectAsync, type MqttClient } from 'mqtt';
import { pino } from 'pino';
import { Metrics } from '../../src/telemetry/metrics.js';
import { EventReader } from '../harness/event-reader.js';
import { growthOf, hasPromtool, metricsText, promtoolSays, readMetrics } from '../harness/metrics-page.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

const lines: string[] = [];
const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
let node: SecureNode;
let lamp: string;
let stranger: string;

beforeAll(async () => {
  node = await startSecureNode({
    logger,
    environment: { UMBRA_NODE_ID: 'n-1', UMBRA_AUTH_ISSUER: 'https://a.example', UMBRA_METRICS_PORT: '0' },
  });
  await node.ask('PUT', '/v1/tenants/other', node.admin, {});
  lamp = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
  stranger = await node.make('stranger', { kind: 'person', roles: ['tenant-admin'] }, 'other');
});
afterAll(() => node.stop());

interface Row {
  readonly action: string;
  readonly actor: { id: string } | null;
  readonly target: string;
  readonly outcome: string;
  readonly code: string | null;
  readonly count: number;
}

async function events(query = '', key = node.admin): Promise<Row[]> {
  const { status, body } = await node.ask('GET', `/v1/audit?limit=100${query}`, key);
  expect(status).toBe(200);
  return (body as { events: Row[] }).events;
}
const rows = (all: readonly Row[]): unknown[] =>
  all.map(({ action, actor, target, outcome, code }) => [action, actor?.id ?? null, target, outcome, code]);

it('keeps changes, those that failed and those of another tenant too', async () => {
  const admin = (await events('&action=tenant:update'))[0]?.actor?.id;
  await node.ask('PUT', '/v1/principals/lamp', node.admin, { roles: [] });
  await node.ask('DELETE', '/v1/principals/nobody?secret=x', node.admin);
  await node.ask('PUT', '/v1/principals/second', node.admin, { roles: ['root'] });
  const made = await node.ask('POST', '/v1/principals/lamp/keys', node.admin, {});
  const id = (made.body as { id: string }).id;
  await node.ask('DELETE', `/v1/principals/lamp/keys/${id}`, node.admin);
  const all = rows(await events('&target=/v1/principals/'));
  expect(all.slice(-5)).toEqual([
    ['principal:update', admin, '/v1/principals/lamp', 'failed', 'preconditionFailed'],
    ['principal:delete', admin, '/v1/principals/nobody', 'failed', 'noRecord'],
    ['principal:update', admin, '/v1/principals/second', 'failed', 'invalidRequest'],
    ['key:update', admin, `/v1/principals/lamp/keys/${id}`, 'done', null],
    ['key:delete', admin, `/v1/principals/lamp/keys/${id}`, 'done', null],
  ]);
  expect(rows(await events('', stranger)).map((row) => (row as string[])[2])).toEqual([
    '/v1/tenants/other',
    '/v1/tenants/other/principals/stranger',
    expect.stringMatching('^/v1/tenants/other/principals/stranger/keys/.'),
  ]);
});

it('begins with the first administrator', async () => {
  const first = await events('&action=administrator:create');
  expect(rows(first)).toEqual([['administrator:create', null, '/v1/principals/admin', 'done', null]]);
  expect(await events('&action=administrator:create', stranger)).toEqual([]);
  expect((await node.ask('GET', '/v1/audit', node.admin)).body.node).toBe('n-1');
});

it('keeps refusals of every door', async () => {
  const before = (await node.ask('GET', '/v1/audit?limit=100', node.admin)).body as { next: string };
  const wrong = `${lamp.slice(0, -1)}${lamp.endsWith('A') ? 'B' : 'A'}`;
  await node.ask('GET', '/v1/things/lamp/shadow?access_token=abc', wrong);
  await node.ask('GET', '/v1/things/door/shadow', lamp);
  await node.ask('PUT', '/v1/policies/p', lamp, {});
  await connectAsync(node.mqttUrl, { clientId: 'lamp', username: 'x', password: wrong, reconnectPeriod: 0 }).catch(
    () => undefined,
  );
  await connectAsync(node.mqttUrl, { clientId: 'door', username: 'x', password: lamp, reconnectPeriod: 0 }).catch(
    () => undefined,
  );
  const client = await node.connect('lamp', lamp);
  await client.publishAsync('$aws/things/door/shadow/update', '{}', { qos: 1 }).catch(() => undefined);
  await client.subscribeAsync('$aws/things/+/shadow/#').catch(() => undefined);
  expect(client.connected).toBe(true);
  const found = await events(`&outcome=refused&after=${before.next}`);
  expect(rows(found)).toEqual([
    ['shadow:get', null, '/v1/things/lamp/shadow', 'refused', 'AUTH_101'],
    ['shadow:get', 'lamp', '/v1/things/door/shadow', 'refused', 'AUTH_202'],
    ['policy:update', 'lamp', '/v1/policies/p', 'refused', 'AUTH_202'],
    ['mqtt:connect', null, 'client/lamp', 'refused', 'AUTH_101'],
    ['mqtt:connect', 'lamp', 'client/door', 'refused', 'AUTH_201'],
    ['mqtt:publish', 'lamp', '$aws/things/door/shadow/update', 'refused', 'AUTH_202'],
    ['mqtt:subscribe', 'lamp', '$aws/things/+/shadow/#', 'refused', 'AUTH_202'],
  ]);
  const more = await events('&outcome=refused', stranger);
  expect(more).toEqual([]);
});

it('keeps what became of tokens, by their ids', async () => {
  const keys: Record<string, string> = {
    lamp,
    clerk: await node.make('clerk', { kind: 'service', roles: ['service'] }),
  };
  const post = async (who: string, path: string, form: Record<string, string>) => {
    const client = { client_id: who, client_secret: keys[who]! };
    const text = new URLSearchParams({ ...client, ...form }).toString();
    return (await node.ask('POST', `/v1/auth/${path}`, null, text)).body as Record<string, string>;
  };
  const refresh = (who: string, refresh_token: string, more = {}) =>
    post(who, 'token', { grant_type: 'refresh_token', refresh_token, ...more });
  const begun = await post('clerk', 'token', { grant_type: 'client_credentials', scope: 'iot:* offline_access' });
  const { access_token: access = '', refresh_token: first = '' } = begun;
  await post('clerk', 'revoke', { token: access });
  // None of these is an event: nothing is ended, nothing is changed, and a form is merely wrong.
  await post('clerk', 'revoke', { token: 'x' });
  await post('clerk', 'introspect', { token: access });
  await post('clerk', 'token', { grant_type: 'password' });
  await refresh('clerk', first, { scope: 'umbra:*' });
  const { refresh_token: second = '' } = await refresh('clerk', first);
  await refresh('clerk', second);
  await refresh('lamp', first);
  const { jti } = JSON.parse(Buffer.from(access.split('.')[1] ?? '', 'base64url').toString()) as { jti: string };
  const grant = ['token:grant', 'clerk', expect.stringMatching('^/v1/auth/token/[0-9a-f-]{36}$'), 'done', null];
  expect(rows(await events('&actor=clerk'))).toEqual([
    ['token:grant', 'clerk', `/v1/auth/token/${jti}`, 'done', null],
    ['token:revoke', 'clerk', `/v1/auth/revoke/${jti}`, 'done', null],
    ['token:grant', 'clerk', '/v1/auth/token', 'refused', 'AUTH_203'],
    ...[grant, grant],
  ]);
  // The thief is another client: the event says who it is, and whose login has ended.
  expect(rows(await events('&target=clerk/'))).toEqual([
    ['token:reuse', 'lamp', expect.stringMatching('^clerk/.'), 'done', 'AUTH_108'],
  ]);
  expect(lines.join('')).not.toContain(first.slice(-20));
});

it('is not where changes of shadows are: each carries its principal, whatever door it came by', async () => {
  const headers = { authorization: `Bearer ${await node.make('viewer', { kind: 'service', roles: ['service'] })}` };
  const reader = await EventReader.open(`${node.url}/v1/watch`, headers);
  const by = async (): Promise<unknown> => (await reader.nextOf('change')).data['principal'];
  await node.ask('POST', '/things/lamp/shadow', node.admin, { state: { desired: { led: 'on' } } });
  expect(await by()).toBe('admin');
  const client = await node.connect('lamp', lamp);
  await client.publishAsync('$aws/things/lamp/shadow/update', '{"state":{"reported":{"led":"on"}}}', { qos: 1 });
  expect(await by()).toBe('lamp');
  await node.ask('DELETE', '/things/lamp/shadow', lamp);
  expect(await by()).toBe('lamp');
  reader.close();
  await client.endAsync();
});

it('keeps a change whose caller does not wait for the answer', async () => {
  const { hostname, port } = new URL(node.url);
  const socket = dial(Number(port), hostname);
  socket.on('error', () => undefined);
  const head = `PUT /v1/principals/hasty HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${node.admin}\r\n`;
  socket.write(`${head}Content-Length: 2\r\n\r\n{}`, () => socket.destroy());
  await until('its event', async () => (await events('&target=/v1/principals/hasty')).length === 1);
});

it('is read by those who may, once asked well', async () => {
  expect((await node.ask('GET', '/v1/audit', lamp)).status).toBe(403);
  expect((await node.ask('GET', '/v1/audit', null)).status).toBe(401);
  expect((await node.ask('GET', '/v1/audit?outcome=maybe', node.admin)).status).toBe(400);
  expect((await node.ask('GET', '/v1/audit?after=x', node.admin)).status).toBe(400);
  expect((await node.ask('GET', '/v1/audit?after=abcdefgh.1', node.admin)).status).toBe(410);
  expect((await node.ask('GET', '/v1/audit?actor=a&actor=b', node.admin)).status).toBe(400);
});

it('leaves a line of the log for each event, without secrets', () => {
  const audit = lines.map((line) => JSON.parse(line) as { audit?: boolean; target?: string }).filter((e) => e.audit);
  expect(audit.length).toBeGreaterThan(15);
  for (const secret of [node.admin, lamp, stranger, 'access_token', 'secret=x'])
    expect(lines.join('')).not.toContain(secret.slice(-20));
});

describe('the page of metrics', () => {
  const series = () => readMetrics(node.metricsUrl!);
  const SHADOW = '$aws/things/lamp/shadow';

  it('counts what was asked for over MQTT and HTTP, exactly', async () => {
    const device = await node.connect('lamp', lamp);
    await device.subscribeAsync(`${SHADOW}/delete/rejected`);
    const before = await series();
    for (const body of ['{"state":{"reported":{"n":1}}}', '{"state":{"reported":{"n":2}}}', '{"state":'])
      await device.publishAsync(`${SHADOW}/update`, body, { qos: 1 });
    await device.publishAsync(`${SHADOW}/get`, '', { qos: 1 });
    await device.publishAsync('$aws/things/other/shadow/get', '', { qos: 1 }).catch(() => undefined);
    await node.ask('GET', '/things/lamp/shadow', node.admin);
    await node.ask('GET', '/things/nothing/shadow', node.admin);
    await node.ask('POST', '/things/lamp/shadow', node.admin, { state: { desired: 1 } });
    await node.ask('DELETE', '/things/lamp/shadow', null);
    await node.ask('GET', '/v1/principals', node.admin);
    await node.ask('GET', '/no/such/path', node.admin);
    const after = await until('the answers are over', async () => {
      const now = await series();
      return now.get('umbra_requests_in_flight{door="http"}') === 0 ? now : null;
    });
    const of = (door: string, operation: string, outcome: string) =>
      `umbra_requests_total{door="${door}",operation="${operation}",outcome="${outcome}"}`;
    expect(growthOf(before, after, /^umbra_requests_total/)).toEqual({
      [of('mqtt', 'update', 'ok')]: 2,
      [of('mqtt', 'update', 'invalid')]: 1,
      [of('mqtt', 'get', 'ok')]: 1,
      [of('mqtt', 'get', 'denied')]: 1,
      [of('http', 'get', 'ok')]: 1,
      [of('http', 'get', 'not_found')]: 1,
      [of('http', 'update', 'invalid')]: 1,
      [of('http', 'delete', 'denied')]: 1,
      [of('http', 'other', 'ok')]: 1,
      [of('http', 'other', 'invalid')]: 1,
    });
    expect(growthOf(before, after, /^umbra_request_duration_seconds_count\{door="mqtt"/)).toEqual({
      'umbra_request_duration_seconds_count{door="mqtt",operation="update"}': 3,
      'umbra_request_duration_seconds_count{door="mqtt",operation="get"}': 1,
    });
    expect(after.get('umbra_ready{part="etcd"}')).toBe(1);
    const packet = (direction: string, type: string) =>
      `umbra_mqtt_packets_total{direction="${direction}",type="${type}"}`;
    expect(growthOf(before, after, /^umbra_(?:mqtt_packets|auth_refusals|feed_events)/)).toEqual({
      [packet('received', 'publish')]: 5,
      // The refused publish has one, too: MQTT 5 says the reason in it.
      [packet('sent', 'puback')]: 5,
      'umbra_auth_refusals_total{code="AUTH_101"}': 1,
      'umbra_auth_refusals_total{code="AUTH_202"}': 1,
      umbra_feed_events_total: 2,
    });
    expect(after.get('umbra_mqtt_connections{version="5",transport="tcp"}')).toBe(1);
    expect(
      ['subscriptions', 'session_messages', 'backlog_bytes'].map((name) => after.get(`umbra_mqtt_${name}`)),
    ).toEqual([1, 0, 0]);
    await device.endAsync();
    const gone = 'umbra_mqtt_disconnects_total{reason="client"}';
    await until('its end', async () => (await series()).get(gone) === (after.get(gone) ?? 0) + 1);
    expect((await series()).get('umbra_mqtt_connections{version="5",transport="tcp"}')).toBe(0);
  });

  it('has no series for anything that a client can choose, thousands of times', async () => {
    const before = await series();
    const hostile = await node.connect('a"} 1\numbra_ready{part="x', node.admin, { clean: false });
    await hostile.subscribeAsync(['$aws/things/+/shadow/#', 'a/"} 2/#']).catch(() => undefined);
    const rounds = Array.from({ length: 50 }, (_, round) => round);
    for (const round of rounds) {
      await Promise.all(hostilities(round).map((request) => request(hostile)));
      // One in a round: a client with too many loses its connection.
      await hostile.publishAsync(`evil-${round}/"}`, '', { qos: 1 }).catch(() => undefined);
    }
    const page = await metricsText(node.metricsUrl!);
    expect(page).not.toMatch(/evil|hostile|umbra_ready\{part="x|a\/"/);
    expect(new Metrics().families().reduce((sum, { most }) => sum + most, 0)).toBeLessThanOrEqual(2000);
    // Cells are bound at the start, but for codes of refusals that had not been told before.
    expect((await series()).size - before.size).toBeLessThan(10);
    await hostile.endAsync();
  });

  /** Requests with names, paths, headers and topics of which each is sent once; most of them are refused. */
  function hostilities(round: number): ((client: MqttClient) => Promise<unknown>)[] {
    const kinds = [
      (evil: string) => node.ask('GET', `/things/${encodeURIComponent(`"}\n${evil}`)}/shadow`, node.admin),
      (evil: string) =>
        node.ask('GET', `/things/${evil}/shadow?name=${evil}&${evil}=${evil}`, node.admin, undefined, headers(evil)),
      (evil: string) =>
        node.ask('POST', `/things/${evil}/shadow?name=${evil}`, node.admin, { state: {}, [evil]: evil }),
      (evil: string) => node.ask('GET', `/v1/tenants/${evil}/principals/${evil}`, node.admin),
      (evil: string) => node.ask('PUT', `/${evil}/${evil}`, evil, undefined, headers(evil)),
      (evil: string, client: MqttClient) =>
        client.publishAsync(`$aws/things/${evil}/shadow/name/${evil}/update`, '{"state":{}}', {
          ...{ qos: 1, properties: { userProperties: headers(evil) } },
        }),
      (evil: string) => node.connect(`"}\n${evil}`, evil).catch(() => undefined),
    ];
    return kinds.flatMap((send, kind) =>
      Array.from({ length: 4 }, (_, i) => (client: MqttClient) => send(`evil-${round}-${kind}-${i}`, client)),
    );
  }
  const headers = (evil: string): Record<string, string> => ({
    ...{ 'user-agent': evil, 'x-forwarded-for': evil, forwarded: `for="${evil}"`, 'content-type': `text/${evil}` },
    ...{ traceparent: evil, tracestate: `${evil}=1`, 'if-match': `"${evil}"`, [evil]: '"} 1' },
  });

  // promtool reads the text format alone.
  (hasPromtool ? it : it.skip)('is what promtool of Prometheus takes', async () => {
    expect(await promtoolSays(await metricsText(node.metricsUrl!))).toBe('');
  });
});
