import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { SettableClock } from '../harness/clock.js';
import { startNats, type NatsServer } from '../harness/nats.js';
import { startSecureNode, type Asked, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

const keys = new MemoryClusterKeys();
// Its time stands, as that of the nodes does.
const store = new MemoryShadowStore({ clock: new SettableClock() });
let nats: NatsServer;
let node: SecureNode;
const callers: Record<string, string> = {};

/** Nodes that name no master key make each its own. */
const MASTER = 'ab'.repeat(32);
let folder: string;
let masterKey: string;

const start = (hosts = '127.0.0.1,127.0.0.2'): Promise<SecureNode> =>
  startSecureNode({ keys, store, environment: { UMBRA_SINK_HOSTS: hosts, UMBRA_MASTER_KEY: masterKey } });
const put = (sink: string, body: object, headers = {}, key = node.admin): Promise<Asked> =>
  node.ask('PUT', `/v1/sinks/${sink}`, key, body, headers);
const get = (sink: string): Promise<Asked> => node.ask('GET', `/v1/sinks/${sink}`, node.admin);
async function update(thing: string, n: number): Promise<void> {
  const { status, body } = await node.ask('PATCH', `/v1/things/${thing}/shadow/reported`, node.admin, { n });
  if (status !== 200) throw new Error(JSON.stringify(body));
}
const settings = (stream: string): object => ({ servers: [nats.url], stream, user: 'umbra', password: 'hush' });

/** Things and versions of what a stream has, in its order. */
async function sent(stream: string): Promise<string[]> {
  const connection = await connect({ servers: nats.url });
  try {
    const { streams } = await jetstreamManager(connection);
    const { state } = await streams.info(stream);
    const found: string[] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const event = (await streams.getMessage(stream, { seq }))?.json<{ thing: string; version: number }>();
      if (event) found.push(`${event.thing} ${event.version}`);
    }
    return found;
  } catch {
    return [];
  } finally {
    await connection.close();
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'umbra-sinks-'));
  masterKey = join(folder, 'master.key');
  writeFileSync(masterKey, `${MASTER}\n`, { mode: 0o600 });
  nats = await startNats();
  node = await start();
  await node.ask('PUT', '/v1/tenants/other', node.admin, {});
  callers['operator'] = await node.make('operator', { kind: 'person', roles: ['operator'] });
  callers['foreign-chief'] = await node.make('chief', { kind: 'person', roles: ['tenant-admin'] }, 'other');
});
afterAll(async () => {
  await node.stop();
  await store.close();
  await nats.stop();
  rmSync(folder, { recursive: true });
});

describe('a sink', () => {
  it('is made by PUT, gets every later change that it asks for, and says how far it is', async () => {
    await update('lamp-0', 1);
    const made = await put('events', { kind: 'nats', settings: settings('EVENTS'), filter: { things: ['lamp-*'] } });
    expect([made.status, made.body]).toEqual([
      201,
      {
        ...{ sink: 'events', kind: 'nats', secrets: ['password'], paused: false, pauseReason: '', fault: null },
        settings: {
          ...{ servers: [nats.url], stream: 'EVENTS', user: 'umbra', createStream: true },
          ...{ prefix: 'umbra', maxAgeSeconds: 0, maxBytes: 0, replicas: 1 },
        },
        filter: { things: ['lamp-*'], shadows: null, kinds: null, paths: null, delta: false },
        ...{ createdAt: expect.any(String), owners: [] },
      },
    ]);
    expect(JSON.stringify([...keys.keys.values()])).not.toContain('hush');
    await update('lamp-0', 2);
    await update('door', 1);
    await update('lamp-1', 1);
    await until('the stream has both', async () => (await sent('EVENTS')).length === 2);
    expect((await sent('EVENTS')).sort()).toEqual(['lamp-0 2', 'lamp-1 1']);
    const shown = await until('it says so', async () => {
      const { body } = await get('events');
      return body.owners[0]?.shards.length === 16 && body.owners[0].ok && body;
    });
    expect(shown.owners).toEqual([
      {
        ...{ node: expect.any(String), shards: [...'0123456789abcdef'], inFlight: 0, ok: true },
        ...{ revisionsBehind: 0, secondsBehind: 0, confirmedRevision: expect.any(Number) },
        reason: expect.stringContaining('connected to 127.0.0.1'),
      },
    ]);
    const { body } = await node.ask('GET', '/v1/sinks', node.admin);
    expect(body.sinks.map(({ sink }: { sink: string }) => sink)).toEqual(['events']);
  });

  it('begins with the present state where that is asked for', async () => {
    const ofOwn = { servers: [nats.url], stream: 'ALL', prefix: 'all' };
    expect((await put('all', { kind: 'nats', settings: ofOwn, initial: true })).status).toBe(201);
    await until('it has what there was', async () => (await sent('ALL')).length === 3);
    expect((await sent('ALL')).sort()).toEqual(['door 1', 'lamp-0 2', 'lamp-1 1']);
    await update('door', 2);
    await until('and what comes', async () => (await sent('ALL')).length === 4);
  });

  it.each<[string, object, string]>([
    ['a kind that there is not', { kind: 'kafka' }, 'kind must be one of'],
    ['no kind', {}, 'kind is missing'],
    ['a setting that there is not', { kind: 'nats', settings: { host: 'a' } }, 'settings.servers is missing'],
    ['a member that there is not', { kind: 'nats', pause: true }, '"pause" is unknown'],
    ['what the service sets', { kind: 'nats', id: 'a' }, 'id is set by the service'],
    [
      'a path that is none',
      { kind: 'nats', filter: { paths: ['led'] } },
      'filter.paths must be null, or a list of JSON',
    ],
    ['a kind of changes that is none', { kind: 'nats', filter: { kinds: ['gone'] } }, 'filter.kinds must be'],
    [
      'paths of presence',
      { kind: 'nats', filter: { kinds: ['presence'], paths: ['/desired'] } },
      'filter.paths is about',
    ],
    [
      'presence of a storage that brings none',
      { kind: 'nats', filter: { kinds: ['updated', 'presence'] } },
      'brings no presence',
    ],
    ['a filter that lets nothing through', { kind: 'nats', filter: { things: [] } }, 'filter.things must be'],
    [
      'a server that the operator has not named',
      { kind: 'nats', settings: { servers: ['nats://169.254.169.254:80'] } },
      '169.254.169.254 is not among the servers',
    ],
    [
      'a server with a user in its URL',
      { kind: 'nats', settings: { servers: ['nats://u:p@127.0.0.1:4222'] } },
      'without user and path',
    ],
  ])('is not made of %s', async (_, body, detail) => {
    const answer = await put('bad', body);
    expect([answer.status, answer.body.detail]).toEqual([400, expect.stringContaining(detail)]);
    expect((await get('bad')).status).toBe(404);
    expect([...keys.keys.keys()].filter((key) => key.includes('bad'))).toEqual([]);
  });

  it('belongs to who may change the records of its tenant', async () => {
    const body = { kind: 'nats', settings: settings('EVENTS') };
    expect((await put('mine', body, {}, callers['operator'])).status).toBe(403);
    expect((await node.ask('GET', '/v1/sinks', callers['operator']!)).status).toBe(403);
    expect((await node.ask('GET', '/v1/tenants/default/sinks', callers['foreign-chief']!)).status).toBe(403);
    expect((await node.ask('GET', '/v1/sinks/events', callers['foreign-chief']!)).status).toBe(404);
  });

  it('pauses, keeps its place and its secrets, and goes on with what it has missed', async () => {
    const { headers } = await get('all');
    const members = { kind: 'nats', settings: { servers: [nats.url], stream: 'ALL', prefix: 'all' } };
    expect((await put('all', { ...members, paused: true })).status).toBe(412);
    const paused = await put('all', { ...members, paused: true }, { 'if-match': headers.get('etag') });
    expect([paused.status, paused.body.paused]).toEqual([200, true]);
    await until('nobody sends it', async () => (await get('all')).body.owners.length === 0);
    const before = (await sent('ALL')).length;
    for (let n = 10; n < 15; n++) await update('door', n);
    expect((await sent('ALL')).length).toBe(before);
    await put('all', members, { 'if-match': paused.headers.get('etag')! });
    await until('it has them', async () => (await sent('ALL')).length === before + 5);
    const events = await get('events');
    const same = { servers: [nats.url], stream: 'EVENTS' };
    const kept = await put('events', { kind: 'nats', settings: same }, { 'if-match': events.headers.get('etag') });
    expect([kept.status, kept.body.secrets]).toEqual([400, undefined]);
    const given = { kind: 'nats', settings: { ...same, user: 'umbra' } };
    const right = await put('events', given, { 'if-match': events.headers.get('etag') });
    expect([right.status, right.body.secrets]).toEqual([200, ['password']]);
    const without = { ...given, settings: { ...given.settings, password: null } };
    const none = await put('events', without, { 'if-match': right.headers.get('etag')! });
    expect([none.status, none.body.secrets]).toEqual([200, []]);
  });

  it('is divided among the nodes, and the rest goes on when one leaves', async () => {
    const two = { servers: [nats.url, 'nats://127.0.0.2:1'], stream: 'TWO', prefix: 'two' };
    expect((await put('two', { kind: 'nats', settings: two })).status).toBe(201);
    const other = await start('127.0.0.1');
    const shardsOf = async (): Promise<number[]> =>
      (await get('all')).body.owners.map(({ shards }: { shards: string[] }) => shards.length);
    await until('both have some', async () => {
      const [a = 0, b = 0] = await shardsOf();
      return a > 0 && b > 0 && a + b === 16;
    });
    // A sink that the other one may not open is sent whole by the first.
    const { body } = await other.ask('GET', '/v1/sinks/two', node.admin);
    expect(body.fault).toContain('127.0.0.2 is not among the servers');
    for (let n = 0; n < 20; n++) await update(`each-${n}`, 1);
    await until('all are sent', async () => (await sent('TWO')).length === 20);
    const before = (await sent('ALL')).length;
    const updates = Array.from({ length: 40 }, (_, i) => update(`many-${i}`, 1));
    await other.stop();
    await Promise.all(updates);
    const many = async (): Promise<string[]> => (await sent('ALL')).slice(before).filter((each) => /^many/.test(each));
    await until('all are sent', async () => new Set(await many()).size === 40);
    await until('one has all', async () => (await shardsOf())[0] === 16);
  });

  it('keeps its place while its record cannot be read, and is another sink when it is replaced then', async () => {
    const below = (path: string): string[] => [...keys.keys.keys()].filter((key) => key.startsWith(`sinks/${path}`));
    const members = { kind: 'nats', settings: { servers: [nats.url], stream: 'LATER', prefix: 'later' } };
    await put('later', members);
    const [place, { value }] = [...keys.keys].find(([key]) => key.endsWith('sinks/default/later'))!;
    const { id } = JSON.parse(value) as { id: string };
    const store = (text: string) => keys.commit({ guards: [], puts: [{ key: place, value: text }] });
    const claimed = (count: number) => until(`${count} are claimed`, () => below(`claims/${id}.`).length === count);
    await claimed(16);
    // As a later version writes it.
    const foreign = value.replace('"format":1', '"format":2');
    await store(foreign);
    await claimed(0);
    await store(value);
    await claimed(16);
    expect(below(`cursors/${id}/`)).toHaveLength(16);
    await store(foreign);
    await claimed(0);
    const { headers, body } = await get('later');
    expect(body.fault).toContain('format 2');
    expect((await put('later', members, { 'if-match': headers.get('etag') })).status).toBe(200);
    await until('the old one is gone', () => below(`cursors/${id}/`).length === 0);
    await update('lamp-9', 1);
    await until('the new one is sent', async () => (await sent('LATER')).length === 1);
  });

  it('leaves nothing behind when it is deleted', async () => {
    const left = (): string[] => [...keys.keys.keys()].filter((key) => /^sinks\/(cursors|status|of|claims)/.test(key));
    expect(left()).not.toEqual([]);
    for (const sink of ['all', 'events', 'two', 'later']) {
      expect((await node.ask('DELETE', `/v1/sinks/${sink}`, node.admin)).status).toBe(204);
      expect((await get(sink)).status).toBe(404);
    }
    await until(
      () => left().join(),
      () => left().length === 0,
    );
  });
});
