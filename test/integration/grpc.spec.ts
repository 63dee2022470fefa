import { once } from 'node:events';
import { Metadata } from '@grpc/grpc-js';
import { GrpcClient, type Failure, type Message } from '../harness/grpc-client.js';
import { EventReader } from '../harness/event-reader.js';
import { freePort } from '../harness/ports.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

let node: SecureNode;
let client: GrpcClient;
/** Keys. */
let admin: string;
let lamp: string;

beforeAll(async () => {
  node = await startSecureNode({ environment: { UMBRA_GRPC_PORT: String(await freePort()) } });
  client = await GrpcClient.connect(node.grpcUrl!);
  admin = node.admin;
  lamp = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
});
afterAll(async () => {
  client.close();
  await node.stop();
});

const update = (thing: string, patch: object, more: object = {}): Promise<Message> =>
  client.ask('Shadows/Update', { thing, patch: JSON.stringify(patch), ...more }, admin);

describe('a client made of the reflection', () => {
  it('finds the services', () => {
    expect(client.services).toEqual(
      expect.arrayContaining(['umbra.v1.Shadows', 'umbra.v1.Things', 'umbra.v1.Leases', 'grpc.health.v1.Health']),
    );
  });

  it('updates, reads and deletes a shadow, with the texts of HTTP', async () => {
    const made = await update('door', { desired: { open: true }, reported: { open: false } }, { clientToken: 'a "b"' });
    expect(made).toMatchObject({ thing: 'door', version: 1, clientToken: 'a "b"' });
    expect(made.shadow).toBeUndefined();
    expect(made.revision).toBeGreaterThan(0);
    const { body } = await node.ask('GET', '/v1/things/door/shadow', admin);
    const { document, ...got } = await client.ask('Shadows/Get', { thing: 'door' }, admin);
    const { changedAt, ...seen } = body;
    expect(JSON.parse(document)).toEqual(seen);
    expect(got).toEqual({ thing: 'door', version: 1, revision: made.revision, changedAt });
    expect(document).toBe(made.document);
    const deleted = await client.ask('Shadows/Delete', { thing: 'door', version: 1, clientToken: 'gone' }, admin);
    expect(deleted).toMatchObject({ thing: 'door', version: 1, clientToken: 'gone' });
    expect(deleted.revision).toBeGreaterThan(made.revision);
    expect(await client.failure('Shadows/Get', { thing: 'door' }, admin)).toMatchObject({ status: 'NOT_FOUND' });
  });

  it('lists names and things in pages', async () => {
    for (const shadow of [undefined, 'a', 'b', 'c']) await update('many', { reported: { n: 1 } }, { shadow });
    const first = await client.ask('Shadows/List', { thing: 'many', pageSize: 2 }, admin);
    expect(first).toMatchObject({ thing: 'many', classic: true, names: ['a', 'b'] });
    expect(first.revision).toBeGreaterThanOrEqual(4);
    const second = await client.ask('Shadows/List', { thing: 'many', pageToken: first.nextPageToken }, admin);
    expect([second.names, second.nextPageToken]).toEqual([['c'], undefined]);
    const { things, revision } = await client.ask('Things/List', {}, admin);
    expect(revision).toBeGreaterThanOrEqual(first.revision);
    const found = things.find(({ thing }: { thing: string }) => thing === 'many');
    expect(found.shadows.map(({ name, version }: { name?: string; version: number }) => [name, version])).toEqual([
      [undefined, 1],
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
  });
});

describe('what follows from revisions', () => {
  it('is read as it was, or as new as an answer', async () => {
    const first = await update('past', { reported: { n: 1 } });
    const second = await update('past', { reported: { n: 2 } });
    const get = (more: object): Promise<Message> => client.ask('Shadows/Get', { thing: 'past', ...more }, admin);
    expect([
      (await get({ revision: first.revision })).version,
      (await get({ minRevision: second.revision })).version,
    ]).toEqual([1, 2]);
    const { trailer } = await client.carry('Shadows/Get', { thing: 'past', revision: first.revision }, {}, admin);
    expect(Number(trailer['umbra-revision'])).toBe(first.revision);
    const ask = (method: string, request: object) => client.carry(method, request, {}, admin);
    for (const { answer, trailer: said } of [
      await ask('Shadows/List', { thing: 'past' }),
      await ask('Things/List', {}),
    ])
      expect(Number(said['umbra-revision'])).toBe(answer.revision);
    expect(await client.failure('Shadows/Get', { thing: 'past', revision: 1, at: '1' }, admin)).toMatchObject({
      reason: 'INVALID_REQUEST',
    });
    const list = { thing: 'past', minRevision: second.revision };
    expect((await client.ask('Shadows/List', list, admin)).revision).toBeGreaterThanOrEqual(second.revision);
  });

  it('changes several shadows as one, or none of them', async () => {
    const transaction = (version?: number): object => ({
      transaction: JSON.stringify({
        clientToken: 't',
        operations: [
          { op: 'update', thing: 't1', state: { reported: { n: 1 } } },
          { op: 'update', thing: 't2', state: { reported: { n: 1 } }, version },
        ],
      }),
    });
    const { revision, result } = await client.ask('Transactions/Update', transaction(), admin);
    expect(JSON.parse(result)).toMatchObject({ revision, results: [{ version: 1 }, { version: 1 }], clientToken: 't' });
    expect((await client.ask('Shadows/Get', { thing: 't1' }, admin)).revision).toBe(revision);
    const refused = await client.failure('Transactions/Update', transaction(7), admin);
    expect(refused).toMatchObject({ reason: 'VERSION_CONFLICT', facts: { operation: '1', clientToken: 't' } });
    expect(await client.failure('Transactions/Update', transaction(1), lamp)).toMatchObject({
      ...{ status: 'PERMISSION_DENIED', facts: { operation: '0' } },
    });
    expect((await client.ask('Shadows/Get', { thing: 't1' }, admin)).version).toBe(1);
  });
});

describe('a write', () => {
  const state = { desired: { n: 1 } };
  const operations = [{ op: 'update', thing: 'once-3', state }];
  const writes: readonly [string, object, object][] = [
    ['Shadows/Update', { thing: 'once-1', patch: JSON.stringify(state), clientToken: 't' }, { clientToken: 'u' }],
    ['Shadows/Delete', { thing: 'once-2', clientToken: 't' }, { version: 1 }],
    [
      'Transactions/Update',
      { transaction: JSON.stringify({ operations }) },
      { transaction: JSON.stringify({ operations, clientToken: 'u' }) },
    ],
  ];

  /** Without the revision: the storage in memory counts that of an answer by itself. */
  const ofFirst = ({ revision, result, ...others }: Message): object => ({
    ...others,
    ...(result !== undefined && { result: result.replace(revision, '') }),
  });

  it.each(writes)('with a key is carried out once: %s', async (method, request, other) => {
    if (method.endsWith('Delete')) await update('once-2', state);
    const { thing = 'once-3' } = request as { thing?: string };
    const key = { 'idempotency-key': `key of ${thing}`.replaceAll(' ', '-') };
    const first = await client.carry(method, request, key, admin);
    const again = await client.carry(method, request, key, admin);
    expect([first.failure, ofFirst(again.answer)]).toEqual([null, ofFirst(first.answer)]);
    expect(first.answer).toMatchObject({
      revision: expect.any(Number),
      ...(method.startsWith('Shadows') && { thing }),
    });
    expect([first.trailer, again.trailer]).toMatchObject([
      { 'umbra-revision': String(first.answer.revision) },
      { 'umbra-revision': String(again.answer.revision), 'idempotent-replayed': 'true' },
    ]);
    expect(first.trailer).not.toHaveProperty('idempotent-replayed');
    // An answer without a key has the same members.
    const plain = await client.carry(method, method.endsWith('Delete') ? { ...request, thing: 'past' } : request, {}, admin); // prettier-ignore
    expect(Object.keys(plain.answer).sort()).toEqual(Object.keys(first.answer).sort());
    const reused = await client.carry(method, { ...request, ...other }, key, admin);
    expect(reused.failure).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'IDEMPOTENCY_KEY_REUSED' });
    const overHttp = await node.ask('PATCH', `/v1/things/${thing}/shadow/desired`, admin, { n: 2 }, key);
    expect(overHttp.status).toBe(422);
  });

  it('under a lease counts while it lives, and only for its things', async () => {
    const taken = await client.ask('Leases/Take', { things: ['held-*'], ttlSeconds: 60 }, admin);
    const { lease } = taken;
    const { expiresAt, ...shown } = taken;
    expect([Date.parse(expiresAt) - Date.parse(shown.createdAt), shown.things]).toEqual([60_000, ['held-*']]);
    expect(shown).toMatchObject((await node.ask('GET', `/v1/leases/${lease}`, admin)).body);
    const patch = { patch: '{"desired":{"n":1}}' };
    const write = (thing: string, key = admin, more: object = {}) =>
      client.carry('Shadows/Update', { thing, ...patch }, { 'umbra-lease': lease, ...more }, key);
    const first = await write('held-1', admin, { 'idempotency-key': 'held' });
    expect(first.answer).toMatchObject({ thing: 'held-1', version: 1 });
    const transaction = JSON.stringify({
      operations: ['held-1', 'held-2'].map((thing) => ({ op: 'update', thing, state: { desired: { n: 2 } } })),
    });
    const committed = await client.carry('Transactions/Update', { transaction }, { 'umbra-lease': lease }, admin);
    expect(committed.failure).toBeNull();
    const other = await node.make('other', { kind: 'service', roles: ['service'] });
    expect((await write('free')).failure).toMatchObject({ status: 'ABORTED', reason: 'LEASE_NOT_COVERING' });
    expect((await write('held-1', other)).failure).toMatchObject({ status: 'ABORTED', reason: 'LEASE_NOT_YOURS' });
    const held = { status: 'ABORTED', reason: 'LEASE_HELD' };
    expect(await client.failure('Leases/Take', { things: ['held-1'] }, admin)).toMatchObject(held);
    expect(await client.failure('Leases/Take', { things: ['x'], ttlSeconds: 1 }, admin)).toMatchObject({ reason: 'INVALID_REQUEST' }); // prettier-ignore
    expect(await client.failure('Leases/Take', { things: ['x'] }, lamp)).toMatchObject({ reason: 'NOT_ALLOWED' });
    expect((await client.ask('Leases/Renew', { lease }, admin)).token).toBe(shown.token);
    expect(await client.failure('Leases/Renew', { lease }, other)).toMatchObject({ reason: 'LEASE_NOT_YOURS' });
    expect((await client.ask('Leases/Get', { lease }, admin)).principal).toBe(shown.principal);
    expect((await client.ask('Leases/List', {}, admin)).leases).toMatchObject([{ lease, exclusive: false }]);
    expect(await client.ask('Leases/End', { lease }, admin)).toEqual({});
    expect(await client.failure('Leases/Get', { lease }, admin)).toMatchObject({ status: 'NOT_FOUND' });
    const ended = { status: 'ABORTED', reason: 'LEASE_ENDED', facts: { clientToken: 't' } };
    for (const [method, request] of [
      ['Shadows/Update', { thing: 'held-1', ...patch, clientToken: 't' }],
      ['Shadows/Delete', { thing: 'held-1', clientToken: 't' }],
      ['Transactions/Update', { transaction: transaction.replace('{', '{"clientToken":"t",') }],
    ] as const) {
      expect((await client.carry(method, request, { 'umbra-lease': lease }, admin)).failure).toMatchObject(ended);
    }
    expect((await write('held-1', admin, { 'idempotency-key': 'held' })).answer.version).toBe(1);
    expect((await client.ask('Shadows/Get', { thing: 'held-1' }, admin)).version).toBe(2);
  });
});

describe('an error', () => {
  const bearer = (key: string): Metadata => {
    const metadata = new Metadata();
    metadata.set('authorization', key);
    return metadata;
  };

  it.each<[string, string, object, string, string]>([
    ['a name that is none', 'Shadows/Get', { thing: 'a/b' }, 'INVALID_ARGUMENT', 'INVALID_THING_NAME'],
    ['no name', 'Shadows/Get', {}, 'INVALID_ARGUMENT', 'INVALID_THING_NAME'],
    ['an empty shadow name', 'Shadows/Get', { thing: 'a', shadow: '' }, 'INVALID_ARGUMENT', 'INVALID_SHADOW_NAME'],
    ['what is not there', 'Shadows/Get', { thing: 'nothing' }, 'NOT_FOUND', 'NOT_FOUND'],
    ['no JSON', 'Shadows/Update', { thing: 'a', patch: '{"desired":' }, 'INVALID_ARGUMENT', 'INVALID_JSON'],
    ['no patch', 'Shadows/Update', { thing: 'a' }, 'INVALID_ARGUMENT', 'INVALID_JSON'],
    [
      'two values that would close the braces',
      'Shadows/Update',
      { thing: 'a', patch: '{},"version":7' },
      ...(['INVALID_ARGUMENT', 'INVALID_JSON'] as const),
    ],
    ['an array', 'Shadows/Update', { thing: 'a', patch: '[]' }, 'INVALID_ARGUMENT', 'STATE_NOT_OBJECT'],
    [
      'another section, of half a character',
      'Shadows/Update',
      { thing: 'a', patch: '{"\\ud800":{}}' },
      ...(['INVALID_ARGUMENT', 'INVALID_STATE_NODE'] as const),
    ],
    [
      'a version that is not there',
      'Shadows/Update',
      { thing: 'many', patch: '{"reported":{"n":2}}', version: 9, clientToken: 't' },
      ...(['ABORTED', 'VERSION_CONFLICT'] as const),
    ],
    ['a version below zero', 'Shadows/Delete', { thing: 'many', version: -1 }, 'INVALID_ARGUMENT', 'INVALID_VERSION'],
    ['another version', 'Shadows/Delete', { thing: 'many', version: 9 }, 'ABORTED', 'VERSION_CONFLICT'],
    [
      'one that should not exist',
      'Shadows/Update',
      { thing: 'many', patch: '{}', exists: false },
      ...(['FAILED_PRECONDITION', 'PRECONDITION_FAILED'] as const),
    ],
    [
      'one that should exist',
      'Shadows/Update',
      { thing: 'nothing', patch: '{}', exists: true },
      ...(['FAILED_PRECONDITION', 'PRECONDITION_FAILED'] as const),
    ],
    [
      'a document that is too large',
      'Shadows/Update',
      { thing: 'a', patch: JSON.stringify({ desired: { a: 'x'.repeat(9_000) } }) },
      ...(['INVALID_ARGUMENT', 'TOO_LARGE'] as const),
    ],
    ['a page of no size', 'Shadows/List', { thing: 'many', pageSize: 0 }, 'INVALID_ARGUMENT', 'INVALID_REQUEST'],
    ['a page of no list', 'Things/List', { pageToken: 'x' }, 'INVALID_ARGUMENT', 'INVALID_REQUEST'],
  ])('for %s tells what to change', async (_what, method, request, status, reason) => {
    const failure = await client.failure(method, request, admin);
    expect(failure).toMatchObject({ status, reason });
    const { clientToken } = request as { clientToken?: string };
    expect(failure.facts).toEqual({ requestId: expect.any(String), ...(clientToken !== undefined && { clientToken }) });
    expect(failure.metadata.get('x-request-id')).toEqual([failure.facts.requestId]);
  });

  it.each<[string, object]>([
    ['a kind that is none', { kind: [0] }],
    ['a path that is none', { path: ['desired'] }],
    ['a name that is none', { thing: ['a', 'b c'] }],
    ['a cursor that is none', { cursor: 'x' }],
    ['101 filters', { path: new Array(101).fill('/desired') }],
  ])('ends a stream for %s', async (_what, request) => {
    const failure = await client.stream('Shadows/Watch', request, admin).ended;
    expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'INVALID_REQUEST' });
  });

  it.each<[string, string, string, string, string]>([
    ['a key of nobody', 'Bearer umbra_nobody', 'UNAUTHENTICATED', 'AUTH_1', 'Shadows/Get'],
    ['another scheme', 'Basic eDp5', 'UNAUTHENTICATED', 'AUTH_101', 'Shadows/Get'],
    ['a signature of AWS', 'AWS4-HMAC-SHA256 Credential=a', 'UNAUTHENTICATED', 'AUTH_101', 'Shadows/Get'],
  ])('for %s says no more than HTTP', async (_what, authorization, status, code, method) => {
    const outcome = await client.try(method, { thing: 'lamp' }, bearer(authorization), {});
    const { failure } = outcome as { failure: Failure };
    expect(failure.status).toBe(status);
    expect(failure.facts.code).toMatch(new RegExp(`^${code}`));
    expect(failure.details).not.toContain('nobody');
  });

  it.each([
    ['if-match', 'Shadows/Update'],
    ['if-none-match', 'Transactions/Update'],
    ['umbra-lease', 'Shadows/Get'],
    ['idempotency-key', 'Shadows/Watch'],
  ])('is what %s gets where nobody would heed it: %s', async (name, method) => {
    const metadata = bearer(`Bearer ${admin}`);
    metadata.set(name, '"1"');
    const failure = method.endsWith('Watch')
      ? await client.stream(method, {}, metadata).ended
      : await client
          .try(method, { thing: 'a' }, metadata, {})
          .then((outcome) => (outcome as { failure: Failure }).failure);
    expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'INVALID_REQUEST' });
    expect(failure?.details).toContain(name);
  });

  it('refuses a caller without a key, and what policies do not allow', async () => {
    expect(await client.failure('Shadows/Get', { thing: 'lamp' })).toMatchObject({ status: 'UNAUTHENTICATED' });
    const denied = { status: 'PERMISSION_DENIED', reason: 'NOT_ALLOWED', facts: { code: 'AUTH_202' } };
    for (const [method, request] of [
      ['Shadows/Get', { thing: 'door' }],
      ['Shadows/Update', { thing: 'door', patch: '{}' }],
      ['Shadows/Delete', { thing: 'door' }],
      ['Shadows/List', { thing: 'door' }],
      ['Things/List', {}],
    ] as const) {
      expect(await client.failure(method, request, lamp)).toMatchObject(denied);
    }
    expect(await client.stream('Shadows/Watch', { thing: ['door'], shadow: ['.classic'] }, lamp).ended).toMatchObject(
      denied,
    );
    const events = (await node.ask('GET', '/v1/audit?outcome=refused', admin)).body;
    expect(JSON.stringify(events)).toContain('/umbra.v1.Shadows/Update/door');
  });
});

describe('a stream', () => {
  it('brings the present state, changes, and nothing else, and ends when its caller does', async () => {
    const { revision } = await update('s1', { desired: { led: 'on' } });
    const reader = client.stream(
      'Shadows/Watch',
      { thing: ['s1'], shadow: ['.classic'], initial: true, previous: true },
      admin,
    );
    const said = once(reader.call, 'metadata') as Promise<[Metadata]>;
    await until('the state', () => reader.of('bookmark').length > 0);
    expect(Number((await said)[0].get('umbra-revision')[0])).toBeGreaterThanOrEqual(revision);
    await update('s2', { desired: { led: 'on' } });
    await update('s1', { reported: { led: 'on' } }, { clientToken: 'k' });
    await client.ask('Shadows/Delete', { thing: 's1' }, admin);
    await until('the changes', () => reader.of('change').length === 2);
    expect(reader.of('initial').map(({ initial, cursor }) => [initial.thing, initial.version, cursor])).toEqual([
      ['s1', 1, undefined],
    ]);
    const [changed, deleted] = reader.of('change').map(({ change }) => change);
    expect(changed).toMatchObject({ kind: 'UPDATED', thing: 's1', version: 2, clientToken: 'k' });
    expect(JSON.parse(changed.patch)).toEqual({ reported: { led: 'on' } });
    expect(JSON.parse(changed.document).state).toEqual({ desired: { led: 'on' }, reported: { led: 'on' } });
    expect(deleted).toMatchObject({ kind: 'DELETED', version: 2 });
    expect(JSON.parse(changed.previous)).toMatchObject({ version: 1, state: { desired: { led: 'on' } } });
    expect([changed.removed, deleted.removed]).toEqual([{ pointers: [] }, { pointers: [''] }]);
    expect([changed.delta, deleted.patch, deleted.document]).toEqual([undefined, undefined, undefined]);
    reader.call.cancel();
    expect(await reader.ended).toMatchObject({ status: 'CANCELLED' });
  });

  it('resumes from a cursor of server-sent events, and they from one of its own', async () => {
    const events = await EventReader.open(`${node.url}/v1/watch?thing=r*`, { authorization: `Bearer ${admin}` });
    expect((await events.next())?.event).toBe('bookmark');
    for (const thing of ['r1', 'r2', 'r3']) await update(thing, { reported: { n: 1 } });
    const [first, second, third] = [await events.next(), await events.next(), await events.next()];
    await events.close();
    const reader = client.stream('Shadows/Watch', { thing: ['r*'], cursor: first!.id }, admin);
    await until('two changes', () => reader.of('change').length === 2);
    reader.call.cancel();
    expect(reader.of('change').map(({ cursor }) => cursor)).toEqual([second!.id, third!.id]);
    const [{ change, cursor }] = reader.of('change');
    const { data } = second!;
    expect({ ...change, patch: JSON.parse(change.patch), document: JSON.parse(change.document) }).toMatchObject({
      ...{ thing: data.thing, version: data.version, revision: data.revision, time: data.time },
      ...{ principal: data.principal, patch: data.patch, document: data.document },
    });
    const again = await EventReader.open(`${node.url}/v1/watch?thing=r*&cursor=${cursor}`, {
      authorization: `Bearer ${admin}`,
    });
    expect((await again.next())?.id).toBe(third!.id);
    await again.close();
  });

  it('brings what policies allow, and ends when they allow nothing any more', async () => {
    const key = await node.make('leaving', { kind: 'service', roles: ['service'] });
    const reader = client.stream('Shadows/Watch', {}, key);
    const allowed = { Effect: 'Allow', Action: 'umbra:Watch', Resource: 'arn:aws:iot:*:*:thing/lamp' };
    await node.ask('PUT', '/v1/policies/one', admin, { Version: '2012-10-17', Statement: [allowed] });
    const own = client.stream('Shadows/Watch', {}, await node.make('one', { kind: 'service', policies: ['one'] }));
    await until('both', () => reader.messages.length > 0 && own.messages.length > 0);
    await update('lamp', { desired: { a: 1 } });
    await update('door', { desired: { a: 1 } });
    await until('both changes', () => reader.of('change').length === 2);
    await node.ask('DELETE', '/v1/principals/leaving', admin);
    expect(await reader.ended).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'NOT_ALLOWED' });
    expect(reader.of('end').map(({ end }) => end)).toEqual([
      { reason: 'forbidden', message: expect.any(String), reload: false },
    ]);
    expect(own.of('change').map(({ change }) => change.thing)).toEqual(['lamp']);
    own.call.cancel();
  });
});
