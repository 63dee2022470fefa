import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { QUICK_ELECTION, startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

interface Answer {
  readonly status: number;
  readonly body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look at any member
}

const problem = (name: string): string => `urn:umbra:problem:${name}`;

describe('leases of nodes that share an etcd', () => {
  let etcd: EtcdServer;
  let a: HttpNode;
  let b: HttpNode;
  beforeAll(async () => {
    etcd = await startEtcd({ args: QUICK_ELECTION });
    const start = () => startHttpNode({ open: openEtcdStorage, etcd: { endpoints: [etcd.endpoint] } });
    [a, b] = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    await a.stop();
    await b.stop();
    await etcd.stop();
  });

  async function ask(node: HttpNode, method: string, path: string, body?: object, lease?: string): Promise<Answer> {
    const headers: Record<string, string> = lease === undefined ? {} : { 'umbra-lease': lease };
    const answer = await fetch(node.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
  }
  async function take(node: HttpNode, ...things: string[]): Promise<string> {
    const { status, body } = await ask(node, 'POST', '/v1/leases', { things });
    expect([status, body.type]).toEqual([201, undefined]);
    return body.lease as string;
  }
  /** As etcd does when the time of a lease is over. */
  async function expire(lease: string): Promise<void> {
    const { kvs } = await etcd.client.kv.range({
      key: Buffer.from(`/umbra/v1/cluster/leases/default/held/${lease}`),
    });
    await etcd.client.leaseClient.leaseRevoke({ ID: kvs[0]!.lease });
  }

  it('are taken, shown, renewed and given back through any node', async () => {
    const taken = await ask(a, 'POST', '/v1/leases', { things: ['boiler', 'valve-*'], ttlSeconds: 60 });
    expect(taken).toEqual({
      status: 201,
      body: {
        lease: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
        token: expect.any(Number),
        principal: 'anonymous',
        things: ['boiler', 'valve-*'],
        ttlSeconds: 60,
        exclusive: false,
        createdAt: new Date(a.clock.now()).toISOString(),
        expiresAt: new Date(a.clock.now() + 60_000).toISOString(),
      },
    });
    const shown = { ...taken.body, expiresAt: undefined };
    delete shown.expiresAt;
    const path = `/v1/leases/${shown.lease}`;
    expect((await ask(b, 'GET', path)).body).toEqual(shown);
    expect((await ask(b, 'GET', '/v1/leases')).body).toEqual({ leases: [shown] });
    const held = await ask(b, 'POST', '/v1/leases', { things: ['pump', 'valve-3'] });
    expect([held.status, held.body.type, held.body.detail]).toEqual([
      409,
      problem('lease-held'),
      `Another lease is about valve-*, in the lease ${shown.lease}`,
    ]);
    const renewed = await ask(b, 'PUT', path);
    expect(renewed).toEqual({ status: 200, body: { ...shown, expiresAt: expect.any(String) } });
    expect((await ask(b, 'DELETE', path)).status).toBe(204);
    for (const method of ['GET', 'PUT', 'DELETE']) expect((await ask(a, method, path)).status).toBe(404);
    await ask(a, 'DELETE', `/v1/leases/${await take(b, 'valve-3')}`);
  });

  it('are listed in pages', async () => {
    const all = await Promise.all(['p-1', 'p-2', 'p-3'].map((thing) => take(a, thing)));
    const first = await ask(b, 'GET', '/v1/leases?limit=2');
    const second = await ask(b, 'GET', `/v1/leases?limit=2&after=${first.body.next}`);
    const seen = [...first.body.leases, ...second.body.leases].map(({ lease }) => lease as string);
    expect([seen, second.body.next]).toEqual([[...all].sort(), undefined]);
    await Promise.all(all.map((lease) => ask(a, 'DELETE', `/v1/leases/${lease}`)));
  });

  it('hold writes back whose time is over: a controller that slept never overwrites its successor', async () => {
    const write = (node: HttpNode, by: string, lease: string) =>
      ask(node, 'PATCH', '/v1/things/mixer/shadow/desired', { by }, lease);
    const old = await take(a, 'mixer');
    expect((await write(a, 'old', old)).status).toBe(200);
    await expire(old);
    const heir = await take(b, 'mixer');
    // Node a remembers the old lease as a good one; the transaction finds out.
    const late = await write(a, 'late', old);
    expect([late.status, late.body.type]).toEqual([409, problem('lease-ended')]);
    expect((await write(b, 'heir', heir)).status).toBe(200);
    for (const node of [a, b]) expect((await write(node, 'late', old)).status).toBe(409);
    const { body } = await ask(a, 'GET', '/v1/things/mixer/shadow');
    expect([body.version, body.state.desired]).toEqual([2, { by: 'heir' }]);
  });

  const routes: readonly [string, string, object | undefined][] = [
    ['PATCH', '/v1/things/T/shadow', { state: { desired: { a: 2 } } }],
    ['PATCH', '/v1/things/T/shadow/desired', { a: 2 }],
    ['PATCH', '/v1/things/T/shadow/reported', { a: 2 }],
    ['POST', '/things/T/shadow', { state: { desired: { a: 2 } } }],
    ['DELETE', '/v1/things/T/shadow', undefined],
    ['DELETE', '/things/T/shadow', undefined],
    ['DELETE', '/v1/things/T', undefined],
  ];
  const transactions = [
    { op: 'update', thing: 'T', state: { desired: { a: 2 } } },
    { op: 'replace', thing: 'T', section: 'desired', value: {} },
    { op: 'delete', thing: 'T' },
    { op: 'promote', thing: 'T', from: 'staging' },
  ].map((operation): (typeof routes)[number] => ['POST', '/v1/transactions', { operations: [operation] }]);
  let exclusives = 0;
  it.each(routes)('are asked for by %s %s', async (method, path, body) => {
    const thing = `r-${routes.findIndex(([m, p]) => m === method && p === path)}`;
    const shadow = `/v1/things/${thing}/shadow`;
    await ask(a, 'PATCH', shadow, { state: { desired: { a: 1 } } });
    const [lease, other, ended] = [await take(a, thing), await take(a, `${thing}-x`), await take(a, `${thing}-y`)];
    await ask(a, 'DELETE', `/v1/leases/${ended}`);
    const write = (by: string) => ask(b, method, path.replace('T', thing), body, by);
    for (const bad of [other, ended, 'A'.repeat(22), 'no lease']) expect((await write(bad)).status).toBe(409);
    expect((await ask(b, 'GET', shadow)).body.version).toBe(1);
    expect((await write(lease)).status).toBe(200);
    await expire(lease);
    const { version } = (await ask(a, 'PATCH', shadow, { state: { desired: { a: 3 } } })).body;
    const late = await write(lease);
    expect([late.status, JSON.stringify(late.body)]).toEqual([409, expect.stringContaining('The lease has ended')]);
    expect((await ask(a, 'GET', shadow)).body.version).toBe(version);
  });

  it.each([...routes.filter(([, path]) => !path.endsWith('reported')), ...transactions])(
    'keep others from desired when they are exclusive: %s %s',
    async (method, path, body) => {
      const thing = `x-${++exclusives}`;
      const named = (text: string): string => text.replaceAll('T', thing);
      const shadow = `/v1/things/${thing}/shadow`;
      await ask(a, 'PATCH', shadow, { state: { desired: { a: 1 }, reported: { b: 1 } } });
      await ask(a, 'PATCH', `${shadow}?name=staging`, { state: { desired: { a: 3 } } });
      const { status, body: lease } = await ask(b, 'POST', '/v1/leases', { things: [`${thing}*`], exclusive: true });
      expect([status, lease.exclusive]).toEqual([201, true]);
      const write = (by?: string) =>
        ask(a, method, named(path), body && (JSON.parse(named(JSON.stringify(body))) as object), by);
      const refused = await write();
      expect(refused.status).toBe(409);
      expect(JSON.stringify(refused.body)).toContain(
        `An exclusive lease keeps others from desired of ${thing}; it ends`,
      );
      expect((await ask(a, 'GET', shadow)).body).toMatchObject({ version: 1, state: { desired: { a: 1 } } });
      expect((await ask(a, 'PATCH', `${shadow}/reported`, { b: 2 })).status).toBe(200);
      expect((await write(lease.lease)).status).toBe(200);
      await ask(a, 'DELETE', `/v1/leases/${lease.lease}`);
      const after = await ask(a, 'PATCH', `${shadow}/desired`, { a: 9 });
      expect(after.status).toBe(200);
    },
  );

  it('end by themselves unless they are renewed', async () => {
    const lease = await take(a, 'clocked');
    const { kvs } = await etcd.client.kv.range({
      key: Buffer.from(`/umbra/v1/cluster/leases/default/held/${lease}`),
    });
    const left = async (): Promise<number> =>
      Number((await etcd.client.leaseClient.leaseTimeToLive({ ID: kvs[0]!.lease })).TTL);
    expect((await etcd.client.leaseClient.leaseTimeToLive({ ID: kvs[0]!.lease })).grantedTTL).toBe('30');
    await until('a second has passed', async () => (await left()) < 29);
    await ask(b, 'PUT', `/v1/leases/${lease}`);
    expect(await left()).toBeGreaterThanOrEqual(29);
  });
});

describe('leases of a node with authentication', () => {
  let node: SecureNode;
  const keys: Record<string, string> = {};
  beforeAll(async () => {
    node = await startSecureNode();
    const statement = { Effect: 'Allow', Action: 'umbra:Lease', Resource: 'arn:aws:iot:eu:1:thing/lamp-*' };
    await node.ask('PUT', '/v1/policies/lease-lamps', node.admin, { Version: '2012-10-17', Statement: [statement] });
    const short = {
      ...statement,
      Resource: ['lamp-?', 'valve-??', 'pump-*x'].map((each) => `arn:aws:iot:eu:1:thing/${each}`),
    };
    await node.ask('PUT', '/v1/policies/lease-short', node.admin, { Version: '2012-10-17', Statement: [short] });
    keys['short'] = await node.make('short', { kind: 'service', policies: ['lease-short'] });
    keys['ann'] = await node.make('ann', { kind: 'service', roles: ['operator'] });
    keys['bob'] = await node.make('bob', { kind: 'service', roles: ['operator'] });
    keys['lamps'] = await node.make('lamps', { kind: 'service', policies: ['lease-lamps'] });
    keys['viewer'] = await node.make('viewer', { kind: 'person', roles: ['viewer'] });
  });
  afterAll(() => node.stop());
  const ask = (who: string, method: string, path: string, body?: object, headers?: Record<string, string>) =>
    node.ask(method, path, keys[who]!, body, headers);
  const take = async (who: string, ...things: string[]) => {
    const { status, body } = await ask(who, 'POST', '/v1/leases', { things });
    return [status, status === 201 ? body.lease : body.code] as const;
  };

  it('are for things that policies allow', async () => {
    expect(await take('viewer', 'lamp-1')).toEqual([403, 'AUTH_202']);
    expect(await take('lamps', 'lamp-1', 'door')).toEqual([403, 'AUTH_202']);
    expect(await take('lamps', 'lam*')).toEqual([403, 'AUTH_202']);
    expect(await take('lamps', '*')).toEqual([403, 'AUTH_202']);
    const [status, lease] = await take('lamps', 'lamp-*');
    expect(status).toBe(201);
    expect((await ask('lamps', 'DELETE', `/v1/leases/${lease}`)).status).toBe(204);
  });

  it('are for a prefix only where policies allow names of any length behind it', async () => {
    for (const prefix of ['lamp-*', 'valve-1*', 'pump-*'])
      expect([prefix, ...(await take('short', prefix))]).toEqual([prefix, 403, 'AUTH_202']);
    const [status, lease] = await take('short', 'lamp-7', 'valve-12', 'pump-x');
    expect(status).toBe(201);
    expect((await ask('short', 'DELETE', `/v1/leases/${lease}`)).status).toBe(204);
  });

  it('belong to who took them', async () => {
    const [, door] = await take('ann', 'door');
    const path = `/v1/leases/${door}`;
    const asked = async (who: string, method: string) => {
      const { status, body } = await ask(who, method, path);
      return [status, body?.type];
    };
    expect(await asked('bob', 'GET')).toEqual([200, undefined]);
    for (const method of ['PUT', 'DELETE']) {
      expect(await asked('bob', method)).toEqual([409, problem('lease-not-yours')]);
      expect(await asked('lamps', method)).toEqual([404, problem('no-record')]);
    }
    expect(await asked('lamps', 'GET')).toEqual([404, problem('no-record')]);
    expect((await ask('lamps', 'GET', '/v1/leases')).body).toEqual({ leases: [] });
    const headers = { 'umbra-lease': String(door) };
    const write = await ask('bob', 'PATCH', '/v1/things/door/shadow/desired', { open: true }, headers);
    expect([write.status, write.body.type]).toEqual([409, problem('lease-not-yours')]);
  });

  it('are not renewed for who may no longer take them', async () => {
    const [, lease] = await take('lamps', 'lamp-9');
    const { headers } = await node.ask('GET', '/v1/policies/lease-lamps', node.admin);
    const none = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'umbra:Lease', Resource: 'arn:aws:iot:eu:1:thing/pump' }],
    };
    await node.ask('PUT', '/v1/policies/lease-lamps', node.admin, none, { 'if-match': headers.get('etag')! });
    expect((await ask('lamps', 'PUT', `/v1/leases/${lease}`)).status).toBe(403);
    expect((await ask('lamps', 'DELETE', `/v1/leases/${lease}`)).status).toBe(204);
  });
});
