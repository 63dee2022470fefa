import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { etcdKeys, type EtcdKeysFixture } from '../harness/etcd-cluster-keys.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { readMetrics } from '../harness/metrics-page.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

const folder = mkdtempSync(join(tmpdir(), 'umbra-service-'));
const masterKey = join(folder, 'master.key');
/** Takes spans and forgets them: metrics say how many were kept. */
const receiver = createServer((_, response) => void response.end());
let etcd: EtcdServer;
let keys: EtcdKeysFixture[];
/** Two nodes that share an etcd. */
let nodes: SecureNode[];
let node: SecureNode;

beforeAll(async () => {
  writeFileSync(masterKey, `${'ab'.repeat(32)}\n`, { mode: 0o600 });
  etcd = await startEtcd();
  const first = etcdKeys([etcd.endpoint]);
  keys = [first, etcdKeys([etcd.endpoint], { prefix: first.prefix })];
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  nodes = [];
  for (const [index, { keys: own }] of keys.entries()) {
    const environment = {
      ...{ UMBRA_NODE_ID: `n${index}`, UMBRA_METRICS_PORT: '0', UMBRA_MASTER_KEY: masterKey },
      ...{ UMBRA_TRACE_ENDPOINT: `http://127.0.0.1:${port}/v1/traces`, UMBRA_TRACE_RULES: '0' },
    };
    nodes.push(await startSecureNode({ keys: own, environment }));
  }
  node = nodes[0]!;
});
afterAll(async () => {
  for (const each of [...nodes].reverse()) await each.stop();
  for (const each of keys) await each.close();
  await etcd.stop();
  receiver.closeAllConnections();
  receiver.close();
  rmSync(folder, { recursive: true });
});

it('deletes no tenant that has a shadow, which a later one of its name would get', async () => {
  const path = '/v1/tenants/leaving';
  expect((await node.ask('PUT', path, node.admin, {})).status).toBe(201);
  const key = await node.make('last', { kind: 'service', roles: ['service'] }, 'leaving');
  const lamp = '/v1/things/lamp/shadow?name=night';
  expect((await node.ask('PATCH', lamp, key, { state: { desired: { on: true } } })).status).toBe(200);
  const inUse = await node.ask('DELETE', path, node.admin);
  expect([inUse.status, inUse.body.detail]).toEqual([400, expect.stringContaining('has shadows, of the thing lamp')]);
  expect((await node.ask('DELETE', lamp, key)).status).toBe(200);
  const inhabited = await node.ask('DELETE', path, node.admin);
  expect([inhabited.status, inhabited.body.detail]).toEqual([400, expect.stringContaining('has a principal')]);
  expect((await node.ask('DELETE', `${path}/principals/last`, node.admin)).status).toBe(204);
  expect((await node.ask('DELETE', path, node.admin)).status).toBe(204);
  expect((await node.ask('GET', path, node.admin)).status).toBe(404);
});

describe('the runtime configuration', () => {
  const PATH = '/v1/runtime';
  let operator: string;
  beforeAll(async () => {
    const all = { Effect: 'Allow', Action: '*', Resource: '*' };
    await node.ask('PUT', '/v1/policies/all', node.admin, { Version: '2012-10-17', Statement: [all] });
    operator = await node.make('chief', { kind: 'person', roles: ['tenant-admin'], policies: ['all'] });
    await until('both nodes say something', async () => {
      const { body } = await node.ask('GET', PATH, node.admin);
      return (body.nodes as { software: string | null }[]).filter(({ software }) => software !== null).length === 2;
    });
  });

  const stage = (document: unknown, headers: Record<string, string> = {}) =>
    node.ask('PUT', `${PATH}/staged`, node.admin, document, headers);
  const promote = (headers: Record<string, string> = {}) =>
    node.ask('POST', `${PATH}/promote`, node.admin, {}, headers);
  /** Whether each node takes bulk requests. */
  const takesBulk = () =>
    Promise.all(nodes.map(async (each) => (await each.ask('POST', '/v1/bulk', node.admin, '')).status));
  const state = async () => (await node.ask('GET', PATH, node.admin)).body;
  const put = (key: string, value: string) =>
    keys[1]!.keys.under('runtime/').commit({ guards: [], puts: [{ key, value }] });

  it('is in force on both nodes within a second of its promotion, and not before', async () => {
    const took: number[] = [];
    for (const bulk of [false, true, false]) {
      const { status, headers, body } = await stage({ flags: { bulk } });
      expect([status, body.nodes.map((each: { staged: object }) => each.staged)]).toEqual([
        200,
        Array(2).fill({ version: body.staged.version, accepted: true, fault: null }),
      ]);
      expect(await takesBulk()).toEqual(bulk ? [503, 503] : [200, 200]);
      const begun = performance.now();
      const promoted = await promote({ 'if-match': headers.get('etag')! });
      took.push(performance.now() - begun);
      expect([promoted.status, promoted.body.nodes.map((each: { inForce: number }) => each.inForce)]).toEqual([
        200,
        Array(2).fill(body.staged.version),
      ]);
      expect(await takesBulk()).toEqual(bulk ? [200, 200] : [503, 503]);
    }
    expect(Math.min(...took)).toBeLessThan(1_000);
    const refused = await node.ask('POST', '/v1/bulk', node.admin, '');
    expect(refused.body.type).toBe('urn:umbra:problem:switched-off');
  });

  it('changes how many requests are traced on both nodes within a second', async () => {
    const requests = 20;
    const series = 'umbra_traces_total{decision="head"}';
    const kept = async () => {
      const pages = await Promise.all(nodes.map((each) => readMetrics(each.metricsUrl!)));
      return pages.map((page) => page.get(series)!);
    };
    const took: number[] = [];
    const found: number[][] = [];
    for (const rate of [0, 10_000, 100]) {
      const rules = { rules: [{ rate }], failed: true, slowMs: null, maxPerSecond: 1_000 };
      await stage({ sampling: rules, flags: { bulk: false } });
      const begun = performance.now();
      expect((await promote()).body.nodes.map((each: { inForce: number }) => each.inForce)).toHaveLength(2);
      took.push(performance.now() - begun);
      const before = await kept();
      for (const each of nodes)
        for (let i = 0; i < requests; i++) await each.ask('GET', '/v1/things/lamp/shadows', node.admin);
      found.push((await kept()).map((count, i) => count - before[i]!));
    }
    expect(found.slice(0, 2)).toEqual([
      [0, 0],
      [requests, requests],
    ]);
    for (const count of found[2]!) expect(count).toBeLessThan(requests);
    expect(Math.min(...took)).toBeLessThan(1_000);
  });

  it.each([
    ['{"loglevel": "debug"}', 'loglevel is unknown; remove it'],
    ['{"flags": {"bulk": 1}}', 'flags.bulk must be true or false'],
    ['[]', 'The body must be a JSON object'],
    ['{', 'Invalid JSON'],
  ])('does not take %s', async (document, detail) => {
    const before = await state();
    const { status, body } = await stage(document);
    expect([status, body.detail]).toEqual([400, expect.stringContaining(detail)]);
    expect(await state()).toEqual(before);
  });

  it('stays as it is when what is staged is bad for a node', async () => {
    const before = await readMetrics(nodes[1]!.metricsUrl!);
    const { live } = await state();
    await put('staged', `{"format": 1, "version": ${live.version + 1}, "document": {"flags": {"later": true}}}`);
    await until('both nodes refuse it', async () =>
      (await state()).nodes.every((each: { staged: { accepted: boolean } }) => !each.staged.accepted),
    );
    const { status, body } = await promote();
    expect([status, body.detail]).toEqual([
      412,
      expect.stringContaining('node n0 refuses it: flags.later is unknown; remove it; node n1 refuses it'),
    ]);
    expect([(await state()).live, await takesBulk()]).toEqual([live, [503, 503]]);
    const after = await readMetrics(nodes[1]!.metricsUrl!);
    const series = 'umbra_runtime_config_rejected_total{state="staged"}';
    expect(after.get(series)! - before.get(series)!).toBe(1);
    expect(after.get('umbra_runtime_config_version{state="staged"}')).toBe(live.version + 1);
    expect(after.get('umbra_runtime_config_version{state="live"}')).toBe(live.version);
  });

  it('is replaced only by who has seen what waits, and goes back to an earlier one', async () => {
    const first = await stage({}, { 'if-match': '*' });
    expect(first.status).toBe(200);
    expect((await stage({ logLevel: 'warn' })).status).toBe(412);
    expect((await promote({ 'if-match': '"1"' })).status).toBe(412);
    const earlier = (await state()).history.find((each: { document: any }) => each.document.flags.bulk).version; // eslint-disable-line @typescript-eslint/no-explicit-any -- of any form
    const back = await node.ask('POST', `${PATH}/rollback`, node.admin, { version: earlier });
    expect(back.body.live).toMatchObject({ restores: earlier, document: { flags: { bulk: true } } });
    expect([back.body.staged, await takesBulk()]).toEqual([null, [200, 200]]);
    expect((await node.ask('POST', `${PATH}/rollback`, node.admin, { version: 99 })).status).toBe(404);
    for (const bad of [{ version: '1' }, { verison: earlier }])
      expect((await node.ask('POST', `${PATH}/rollback`, node.admin, bad)).status).toBe(400);
  });

  it('is for those who administer the whole service, and every change of it is kept', async () => {
    expect((await node.ask('GET', '/health/status', operator)).status).toBe(403);
    expect((await node.ask('GET', '/health/status', node.admin)).body).toMatchObject({ node: 'n0', ready: true });
    for (const [method, path] of [
      ['GET', ''],
      ['PUT', '/staged'],
      ['POST', '/promote'],
      ['POST', '/rollback'],
    ] as const) {
      const { status, body } = await node.ask(method, PATH + path, operator, method === 'GET' ? undefined : {});
      expect([status, body.code]).toEqual([403, 'AUTH_202']);
    }
    const { body } = await node.ask('GET', '/v1/audit?limit=100&action=runtime:promote&outcome=done', node.admin);
    expect(body.events.length).toBeGreaterThanOrEqual(3);
    expect(body.events[0]).toMatchObject({ actor: { id: 'admin' }, target: '/v1/runtime/promote' });
  });
});

describe('the connections of the nodes', () => {
  interface Known {
    readonly node: string;
    readonly connections: number;
    readonly shed: { readonly closed: number; readonly done: boolean } | null;
  }
  const known = async (): Promise<Known[]> => (await nodes[1]!.ask('GET', '/v1/nodes', node.admin)).body.nodes;

  it('are shed above the mean, whichever node is asked to have it done', async () => {
    const all = { Effect: 'Allow', Action: '*', Resource: '*' };
    await node.ask('PUT', '/v1/policies/fleet', node.admin, { Version: '2012-10-17', Statement: [all] });
    const key = await node.make('fleet', { kind: 'service', roles: ['service'], policies: ['fleet'] });
    const clients = await Promise.all(
      Array.from({ length: 6 }, (_, i) => node.connect(`fleet:${i}`, key, { protocolVersion: 5 })),
    );
    const reasons: unknown[] = [];
    for (const each of clients) each.on('disconnect', ({ reasonCode }) => reasons.push(reasonCode));
    await until(
      'the count of the node',
      async () => (await known()).find((each) => each.node === 'n0')?.connections === 6,
    );
    const { status, body } = await nodes[1]!.ask('POST', '/v1/nodes/n0/shed', node.admin, { spreadMs: 100 });
    expect([status, body.connections, body.node.node]).toEqual([202, 3, 'n0']);
    await until('its end', async () => (await known()).find((each) => each.node === 'n0')?.shed?.done);
    await until('those that are told', () => reasons.length === 3);
    expect(reasons).toEqual([0x9c, 0x9c, 0x9c]);
    expect((await known()).find((each) => each.node === 'n0')?.shed).toEqual({ connections: 3, closed: 3, done: true });
    for (const each of clients) await each.endAsync(true);
  });

  it('are for those who administer the whole service, and an order is kept', async () => {
    const operator = await node.make('op', { kind: 'service', roles: ['operator'] });
    expect((await node.ask('GET', '/v1/nodes', operator)).status).toBe(403);
    expect((await node.ask('POST', '/v1/nodes/n0/shed', operator, {})).status).toBe(403);
    expect((await node.ask('POST', '/v1/nodes/n9/shed', node.admin, {})).status).toBe(404);
    for (const bad of [
      { connections: 0 },
      { connections: '5' },
      { spreadMs: -1 },
      { spreadMs: 1.5 },
      { conections: 5 },
    ])
      expect((await node.ask('POST', '/v1/nodes/n0/shed', node.admin, bad)).status).toBe(400);
    const { body } = await nodes[1]!.ask('GET', '/v1/audit?limit=100&action=node:shed&outcome=done', node.admin);
    expect(body.events[0]).toMatchObject({ actor: { id: 'admin' }, target: '/v1/nodes/n0/shed' });
  });
});

/** The last one: it ends a node. */
it('changes its runtime configuration while a node drains, which follows until its doors are closed', async () => {
  const leaving = nodes.pop()!;
  const names = keys[0]!.keys.under('nodes/');
  // As a node keeps its name until its drain is over.
  await names.commit({ guards: [], puts: [{ key: 'n1', value: '{}' }] });
  const headers = { authorization: `Bearer ${node.admin}`, 'content-length': '2', expect: '100-continue' };
  const late = request(`${leaving.url}/v1/tenants/late`, { method: 'PUT', headers });
  late.flushHeaders();
  await once(late, 'continue');
  const stopped = leaving.stop();
  await until('its closed door', () =>
    fetch(`${leaving.url}/health/live`, { headers: { connection: 'close' } }).then(
      () => false,
      () => true,
    ),
  );
  const version = async (path: string, body: object): Promise<[number, unknown]> => {
    const answer = await node.ask(path === '/staged' ? 'PUT' : 'POST', `/v1/runtime${path}`, node.admin, body);
    const { nodes: each, detail } = answer.body;
    return [answer.status, detail ?? each.map(({ inForce }: { inForce: number }) => inForce - each[0].inForce)];
  };
  const equal = [200, [0, 0]];
  for (const bulk of [false, true]) {
    expect(await version('/staged', { flags: { bulk } })).toEqual(equal);
    expect(await version('/promote', {})).toEqual(equal);
  }
  expect(await version('/rollback', {})).toEqual(equal);
  const answered = once(late, 'response');
  late.end('{}');
  const [{ statusCode }] = (await answered) as [IncomingMessage];
  expect(statusCode).toBe(201);
  await stopped;
  expect((await node.ask('GET', '/v1/runtime', node.admin)).body.nodes).toHaveLength(2);
  await names.commit({ guards: [], deletes: ['n1'] });
  expect((await node.ask('GET', '/v1/runtime', node.admin)).body.nodes).toHaveLength(1);
});
