import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { EventReader } from '../harness/event-reader.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';

interface Answer {
  readonly status: number;
  readonly body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look at any member
  readonly revision: string | null;
}

describe('POST /v1/transactions', () => {
  let etcd: EtcdServer;
  let a: HttpNode;
  let b: HttpNode;
  let things = 0;
  const fresh = (): string => `tx-${++things}`;
  const start = () => startHttpNode({ open: openEtcdStorage, etcd: { endpoints: [etcd.endpoint] } });
  beforeAll(async () => {
    etcd = await startEtcd();
    [a, b] = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    await a.stop();
    await b.stop();
    await etcd.stop();
  });

  async function send(node: HttpNode, method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(node.url + path, { method, headers, ...(body !== undefined && { body: text }) });
    const answer = await response.text();
    return {
      ...{ status: response.status, body: answer === '' ? null : JSON.parse(answer) },
      revision: response.headers.get('umbra-revision'),
    };
  }
  const transact = (node: HttpNode, ...operations: object[]): Promise<Answer> =>
    send(node, 'POST', '/v1/transactions', { operations });
  const patch = (node: HttpNode, thing: string, desired: object, name = ''): Promise<Answer> =>
    send(node, 'PATCH', `/v1/things/${thing}/shadow/desired${name && `?name=${name}`}`, desired);
  const read = async (thing: string, name = ''): Promise<Answer['body']> =>
    (await send(b, 'GET', `/v1/things/${thing}/shadow${name && `?name=${name}`}`)).body;
  const update = (thing: string, desired: object, more: object = {}) => ({
    ...{ op: 'update', thing, state: { desired } },
    ...more,
  });

  it('changes shadows of every kind at one revision, which all watchers see', async () => {
    const [lamp, door, gone] = [fresh(), fresh(), fresh()];
    await patch(a, gone, { x: 1 });
    await patch(a, door, { x: 1, y: 1 });
    const events = await EventReader.open(`${b.url}/v1/watch`, {});
    const answer = await send(a, 'POST', '/v1/transactions', {
      operations: [
        update(lamp, { on: true }, { shadow: 'light' }),
        { op: 'replace', thing: door, section: 'desired', value: { x: 2 } },
        { op: 'delete', thing: gone },
        { op: 'check', thing: `${lamp}-none` },
      ],
      clientToken: 'app-17',
    });
    expect(answer).toMatchObject({ status: 200, revision: String(answer.body.revision) });
    expect(answer.body).toMatchObject({
      clientToken: 'app-17',
      results: [
        { op: 'update', thing: lamp, shadow: 'light', version: 1, state: { desired: { on: true } } },
        { op: 'replace', thing: door, shadow: null, version: 2, state: { desired: { x: 2 } } },
        { op: 'delete', thing: gone, shadow: null, version: 1, deleted: true },
        { op: 'check', thing: `${lamp}-none`, shadow: null, version: null },
      ],
    });
    // The other node may have been behind the first changes when the stream began.
    const seen = [await events.nextOf('change')];
    while (seen[0]!.data['revision'] !== answer.body.revision) seen[0] = await events.nextOf('change');
    seen.push(await events.nextOf('change'), await events.nextOf('change'));
    expect(seen.map(({ data }) => [data['thing'], data['version']])).toEqual([
      [lamp, 1],
      [door, 2],
      [gone, 1],
    ]);
    expect(new Set(seen.map(({ data }) => data['revision']))).toEqual(new Set([answer.body.revision]));
    events.close();
    expect((await read(door)).state).toEqual({ desired: { x: 2 }, delta: { x: 2 } });
  });

  it('changes nothing when one operation is refused, and shows what it was refused on', async () => {
    const [lamp, door] = [fresh(), fresh()];
    await send(a, 'PATCH', `/v1/things/${door}/shadow/reported`, { door: 'open' });
    const closed = { conditions: [{ thing: door, path: '/reported/door', equals: 'closed' }] };
    const refused = await transact(b, update(lamp, { on: true }), update(lamp, { locked: true }, closed));
    expect(refused).toMatchObject({
      status: 412,
      body: {
        ...{ type: 'urn:umbra:problem:precondition-failed', operation: 1, thing: door, shadow: null },
        detail: `operations[1]: A condition of the request does not hold: ${door} has another value at /reported/door`,
        current: { state: { reported: { door: 'open' } }, version: 1 },
      },
    });
    expect(await read(lamp)).toMatchObject({ status: 404 });
    await send(a, 'PATCH', `/v1/things/${door}/shadow/reported`, { door: 'closed' });
    expect(await transact(b, update(lamp, { on: true }), update(lamp, { locked: true }, closed))).toMatchObject({
      status: 200,
      body: { results: [{ version: 1, state: { desired: { on: true, locked: true } } }, { version: 1 }] },
    });
    const late = await transact(b, update(lamp, { on: false }, { version: 7 }), update(door, { x: 1 }));
    expect(late).toMatchObject({ status: 409, body: { operation: 0, current: { version: 1 } } });
    const none = { conditions: [{ path: '', exists: false }] };
    expect(await transact(b, update(lamp, {}, none))).toMatchObject({ status: 412 });
    expect(await transact(b, { op: 'delete', thing: fresh() })).toMatchObject({ status: 404, body: { current: null } });
    expect((await read(door)).version).toBe(2);
  });

  it('takes 100 shadows in a body that is larger than one of an update, and not 101', async () => {
    const text = 'x'.repeat(1_000);
    const operations = Array.from({ length: 100 }, () => update(fresh(), { text }));
    const done = await transact(a, ...operations);
    expect([done.status, done.body.results.length]).toEqual([200, 100]);
    expect((await transact(a, ...operations, update(fresh(), {}))).status).toBe(400);
    const [first] = operations;
    expect((await read(first!.thing)).version).toBe(1);
    const long = JSON.stringify({ operations: [], pad: 'x'.repeat(1024 * 1024) });
    expect((await send(a, 'POST', '/v1/transactions', long)).status).toBe(413);
    // Other routes take no more than before.
    expect(
      (await send(a, 'PATCH', `/v1/things/${first!.thing}/shadow/desired`, { text: 'x'.repeat(40_000) })).status,
    ).toBe(413);
    const large = Array.from({ length: 100 }, () => update(fresh(), { text: 'x'.repeat(7_000) }));
    expect(await transact(a, ...large)).toMatchObject({
      status: 413,
      body: { detail: expect.stringContaining('1048576') },
    });
  });

  it('promotes once under edits of both documents, and takes neither edit back', async () => {
    const lamp = fresh();
    await patch(a, lamp, { old: 1 });
    await patch(a, lamp, { n: 0 }, 'staging');
    const edits = Array.from({ length: 20 }, async (_, i) => {
      await send(i % 2 ? a : b, 'PATCH', `/v1/things/${lamp}/shadow/reported`, { i });
      await patch(i % 2 ? b : a, lamp, { n: i + 1 }, 'staging');
    });
    const promote = { op: 'promote', thing: lamp, from: 'staging' };
    const promoted = await transact(a, promote);
    await Promise.all(edits);
    expect(promoted).toMatchObject({
      status: 200,
      body: { results: [{ op: 'promote', from: { shadow: 'staging' } }] },
    });
    const [live, staged] = [await read(lamp), await read(lamp, 'staging')];
    // The live one has what was staged at that moment, and nothing of what it had before.
    expect(live.state.desired).toEqual(promoted.body.results[0].state.desired);
    expect(Object.keys(live.state.desired)).toEqual(['n']);
    expect([live.version, staged.version]).toEqual([22, 22]);
    expect(staged.state.reported.promoted).toMatchObject({ thing: lamp, version: promoted.body.results[0].version });
    // Guarded by both versions, it goes through for one of two that have seen the same.
    const guarded = { ...promote, version: 22, fromVersion: 22 };
    const both = await Promise.all([transact(a, guarded), transact(b, guarded)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect((await read(lamp)).version).toBe(23);
  });

  it('keeps an invariant while transactions of two nodes and single updates meet', async () => {
    const [left, right] = [fresh(), fresh()];
    await transact(a, update(left, { n: 0 }), update(right, { n: 0 }));
    const edits = Array.from({ length: 40 }, async (_, i) => {
      const node = i % 2 ? a : b;
      await send(node, 'PATCH', `/v1/things/${left}/shadow/reported`, { i });
      // Both say the same number, whoever was last.
      return (await transact(node, update(left, { n: i }), update(right, { n: i }))).status;
    });
    expect(new Set(await Promise.all(edits))).toEqual(new Set([200]));
    const [one, other] = [await read(left), await read(right)];
    expect(one.state.desired).toEqual(other.state.desired);
    expect([one.version, other.version]).toEqual([81, 41]);
  });

  it('is carried out under a lease of all that it changes, and of none that has ended', async () => {
    const [lamp, door] = [fresh(), fresh()];
    const { lease } = (await send(a, 'POST', '/v1/leases', { things: [lamp] })).body;
    const under = (...operations: object[]) =>
      send(b, 'POST', '/v1/transactions', { operations }, { 'umbra-lease': lease });
    const looking = update(lamp, { x: 1 }, { conditions: [{ thing: door, path: '', exists: false }] });
    expect((await under(looking)).status).toBe(200);
    const beyond = await under(update(lamp, { x: 2 }), update(door, { x: 2 }));
    expect([beyond.status, beyond.body.type]).toEqual([409, 'urn:umbra:problem:lease-not-covering']);
    expect((await send(a, 'DELETE', `/v1/leases/${lease}`)).status).toBe(204);
    const late = await under(update(lamp, { x: 3 }));
    expect([late.status, late.body.type]).toEqual([409, 'urn:umbra:problem:lease-ended']);
    expect((await read(lamp)).state.desired).toEqual({ x: 1 });
  });

  it('refuses what it does not understand, with nothing changed', async () => {
    const lamp = fresh();
    const misspelt = await transact(a, { ...update(lamp, { x: 1 }), verison: 3 });
    expect(misspelt).toMatchObject({ status: 400, body: { detail: expect.stringContaining('no member verison') } });
    const conditional = await fetch(`${a.url}/v1/transactions`, {
      ...{ method: 'POST', headers: { 'if-match': '"1"' }, body: JSON.stringify({ operations: [update(lamp, {})] }) },
    });
    expect(conditional.status).toBe(400);
    expect((await fetch(`${a.url}/v1/transactions`)).status).toBe(405);
    expect(await read(lamp)).toMatchObject({ status: 404 });
  });
});

describe('access of a transaction', () => {
  /** Requests of a thing in a second. */
  const MOST = 20;
  let node: SecureNode;
  let writer: string;
  beforeAll(async () => {
    node = await startSecureNode({ environment: { UMBRA_LIMIT_THING: String(MOST) } });
    const allow = (Action: string, ...names: string[]) => ({
      ...{ Effect: 'Allow', Action },
      Resource: names.map((name) => `arn:aws:iot:*:*:thing/${name}`),
    });
    const document = {
      Version: '2012-10-17',
      Statement: [
        allow('iot:UpdateThingShadow', 'mine', 'mine/staging', 'blind'),
        allow('iot:GetThingShadow', 'mine', 'mine/staging', 'seen'),
        allow('iot:DeleteThingShadow', 'mine'),
      ],
    };
    const made = await node.ask('PUT', '/v1/policies/writer', node.admin, document);
    expect([200, 201]).toContain(made.status);
    writer = await node.make('writer', { kind: 'service', policies: ['writer'] });
    const seed = (thing: string, query = '') =>
      node.ask('PATCH', `/v1/things/${thing}/shadow/desired${query}`, node.admin, { x: 1 });
    for (const thing of ['mine', 'blind', 'seen', 'secret']) expect((await seed(thing)).status).toBe(200);
    expect((await seed('mine', '?name=staging')).status).toBe(200);
  });
  afterAll(() => node.stop());

  const ask = (key: string | null, ...operations: object[]) =>
    node.ask('POST', '/v1/transactions', key, { operations });
  const update = (thing: string, more: object = {}) => ({ op: 'update', thing, state: { desired: { x: 2 } }, ...more });
  const when = (thing: string) => ({ conditions: [{ thing, path: '/desired/x', equals: 1 }] });

  it('is asked for each operation, condition and staged shadow', async () => {
    expect((await ask(null, update('mine'))).status).toBe(401);
    for (const operation of [
      update('seen'),
      update('mine', { shadow: 'other' }),
      update('mine', when('secret')),
      update('blind', { conditions: [{ path: '/desired/x', equals: 1 }] }),
      { op: 'check', thing: 'blind' },
      { op: 'delete', thing: 'blind' },
      { op: 'promote', thing: 'mine', from: 'secret' },
      { op: 'promote', thing: 'mine', from: 'staging', to: 'other' },
    ]) {
      const refused = await ask(writer, update('mine'), operation);
      expect([operation, refused.status, refused.body.code, refused.body.operation]).toEqual([
        operation,
        403,
        'AUTH_202',
        1,
      ]);
      expect(refused.body.current).toBeUndefined();
    }
    const { body } = await node.ask('GET', '/v1/things/mine/shadow', node.admin);
    expect(body.version).toBe(1);
    const { body: trail } = await node.ask('GET', '/v1/audit', node.admin);
    expect(JSON.stringify(trail)).toContain('transaction:update');
  });

  it('lets through what is allowed, and shows a document only to who may read it', async () => {
    const blind = await ask(writer, update('blind', { version: 9 }));
    expect([blind.status, blind.body.operation, blind.body.current]).toEqual([409, 0, undefined]);
    const open = await ask(writer, update('mine', { version: 9 }));
    expect([open.status, open.body.current.version]).toEqual([409, 1]);
    const done = await ask(writer, update('mine', when('seen')), update('blind'), {
      op: 'promote',
      thing: 'mine',
      from: 'staging',
    });
    expect([done.status, done.body.results.map(({ version }: { version: number }) => version)]).toEqual([
      200,
      [2, 2, 2],
    ]);
  });

  it('is asked before an answer that is kept is shown again', async () => {
    const allow = { Effect: 'Allow', Action: ['iot:UpdateThingShadow', 'umbra:Lease'] };
    const policy = (thing: string) => ({
      Version: '2012-10-17',
      Statement: [{ ...allow, Resource: `arn:aws:iot:*:*:thing/${thing}` }],
    });
    await node.ask('PUT', '/v1/policies/passing', node.admin, policy('kept'));
    const key = await node.make('passing', { kind: 'service', policies: ['passing'] });
    const taken = await node.ask('POST', '/v1/leases', key, { things: ['kept'] });
    const headers = { 'umbra-lease': String(taken.body.lease), 'idempotency-key': 'k' };
    const send = () => node.ask('POST', '/v1/transactions', key, { operations: [update('kept')] }, headers);
    expect((await send()).status).toBe(200);
    expect((await node.ask('DELETE', `/v1/leases/${taken.body.lease}`, key)).status).toBe(204);
    expect((await send()).status).toBe(200);
    const { headers: shown } = await node.ask('GET', '/v1/policies/passing', node.admin);
    const withdrawn = { 'if-match': shown.get('etag')! };
    expect((await node.ask('PUT', '/v1/policies/passing', node.admin, policy('other'), withdrawn)).status).toBe(200);
    const refused = await send();
    expect([refused.status, refused.body.results, refused.body.operation]).toEqual([403, undefined, 0]);
  });

  it('counts a request for each thing', async () => {
    node.clock.advance(60_000);
    const answers = [];
    for (let i = 0; i <= MOST; i++) answers.push(await ask(node.admin, update('busy'), update('busy', when('idle'))));
    expect(answers.map(({ status }) => status)).toEqual([...Array<number>(MOST).fill(412), 429]);
    expect((await node.ask('PATCH', '/v1/things/idle/shadow/desired', node.admin, { x: 1 })).status).toBe(429);
  });
});
