import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { UmbraError } from '../../src/sdk/index.js';
import { fileCursor, Umbra, type ShadowState, type UmbraOptions } from '../../src/sdk/index.js';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { startRestorableEtcd, type RestorableEtcd } from '../harness/etcd-backup.js';
import type { EtcdServer } from '../harness/etcd.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';

interface Lamp {
  power: string;
  level: number;
  colors: { r: number; g?: number };
}

/** The service by one address whose node changes. */
const URL = 'http://umbra.test';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('the client library', () => {
  let restorable: RestorableEtcd;
  let etcd: EtcdServer;
  let nodes: HttpNode[];
  let proxies: TcpProxy[];
  const folder = mkdtempSync(join(tmpdir(), 'umbra-client-'));
  /** Which node the address leads to. */
  let current = 0;
  const clients: Umbra[] = [];
  let things = 0;

  const startNode = (historyRecords = 10_000) =>
    startHttpNode({
      ...{ open: openEtcdStorage, etcd: { endpoints: [etcd.endpoint] } },
      watch: { bookmarkMs: 200, historyRecords },
    });
  beforeAll(async () => {
    ({ server: etcd } = restorable = await startRestorableEtcd());
    nodes = await Promise.all([startNode(), startNode()]);
    proxies = await Promise.all(nodes.map(({ port }) => TcpProxy.start(port)));
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    for (const proxy of proxies) proxy.set('pass');
  });
  afterAll(async () => {
    for (const each of [...proxies, ...nodes, restorable]) await each.stop();
    rmSync(folder, { recursive: true });
  });

  function client(options: Partial<UmbraOptions> = {}): Umbra {
    const proxied: UmbraOptions['fetch'] = (url, init) => fetch(url.replace(URL, proxies[current]!.endpoint), init);
    const made = new Umbra({ url: URL, fetch: proxied, ...options });
    clients.push(made);
    return made;
  }
  const direct = (node = nodes[0]!): Umbra => client({ url: node.url, fetch });
  const newThing = (): string => `thing-${++things}`;
  const failure = (promise: Promise<unknown>): Promise<UmbraError> =>
    promise.then(
      () => null!,
      (error: UmbraError) => error,
    );

  describe('changes shadows', () => {
    it('by patches, replacements and deletions of sections', async () => {
      const name = newThing();
      const lamp = direct().thing(name).shadow<Lamp>();
      expect(await lamp.get()).toBeNull();
      const created = await lamp.desired.patch({ power: 'on', colors: { r: 1, g: 2 } });
      expect(created).toMatchObject({ thing: name, shadow: null, version: 1, delta: { power: 'on' } });
      await lamp.desired.patch({ level: 3, colors: { g: null } });
      expect((await lamp.get())?.desired).toEqual({ power: 'on', level: 3, colors: { r: 1 } });
      await lamp.desired.replace({ power: 'off', level: 1, colors: { r: 2 } });
      await lamp.patch({ desired: { colors: null }, reported: { power: 'off', level: 1 } });
      expect(await lamp.get()).toMatchObject({ desired: { power: 'off', level: 1 }, delta: null, version: 4 });
      expect((await lamp.reported.clear()).reported).toEqual({});
      const { version, revision } = await lamp.delete();
      expect([version, revision > created.revision, await lamp.get({ minRevision: revision })]).toEqual([
        5,
        true,
        null,
      ]);
    });

    it('of names, each by itself', async () => {
      const thing = direct().thing(newThing());
      await thing.shadow('net').reported.replace({ ssid: 'x' });
      await thing.shadow('b').desired.patch({ a: [1] });
      await thing.shadow().desired.patch({ a: 1 });
      expect(await all(thing.shadows())).toEqual([null, 'b', 'net']);
      expect((await thing.shadow('net').get())?.reported).toEqual({ ssid: 'x' });
      expect((await thing.delete()).deleted.map(({ name }) => name)).toEqual([null, 'b', 'net']);
      expect(await failure(thing.delete())).toMatchObject({ code: 'not-found', status: 404 });
    });

    it('at a version, and says what else is there', async () => {
      const lamp = direct().thing(newThing()).shadow<Lamp>();
      const refused = { code: 'precondition-failed', status: 412, outcome: 'not-applied', retryable: false };
      expect(await failure(lamp.desired.patch({ level: 1 }, { ifVersion: 'exists' }))).toMatchObject(refused);
      await lamp.desired.patch({ level: 1 }, { ifVersion: 'absent' });
      expect(await failure(lamp.desired.patch({ level: 1 }, { ifVersion: 'absent' }))).toMatchObject(refused);
      expect(await failure(lamp.delete({ ifVersion: 7 }))).toMatchObject(refused);
      expect((await lamp.desired.patch({ level: 2 }, { ifVersion: 1 })).version).toBe(2);
    });

    it('by what they are, also against others', async () => {
      const lamp = direct().thing(newThing()).shadow<Lamp>();
      const brighter = () => lamp.update(({ desired }) => ({ desired: { level: (desired.level ?? 0) + 1 } }));
      await Promise.all(Array.from({ length: 6 }, brighter));
      expect(await lamp.get()).toMatchObject({ version: 6, desired: { level: 6 } });
      expect((await lamp.update(() => null)).version).toBe(6);
      // What is known saves the read, and may be wrong.
      const known: ShadowState<Lamp> = { ...(await lamp.get())!, version: 2 };
      expect((await lamp.update((now) => ({ desired: { level: now.version } }), { known })).desired.level).toBe(6);
    });

    it('of several things as one', async () => {
      const umbra = direct();
      const [a, b] = [newThing(), newThing()];
      const { results, revision } = await umbra.transaction([
        { op: 'update', thing: a, state: { desired: { mode: 'night' } } },
        { op: 'update', thing: b, shadow: 'x', state: { desired: { mode: 'night' } } },
      ]);
      expect([results.map(({ thing, shadow, version }) => [thing, shadow, version]), revision > 0]).toEqual([
        [
          [a, null, 1],
          [b, 'x', 1],
        ],
        true,
      ]);
      const refused = await failure(umbra.transaction([{ op: 'delete', thing: a, version: 9 }]));
      expect([refused.code, refused.problem?.['current']]).toEqual(['version-conflict', expect.anything()]);
      expect((await umbra.transaction([{ op: 'check', thing: a, version: 1 }])).results[0]?.version).toBe(1);
    });

    it('once, though the answer was lost', async () => {
      const name = newThing();
      const lamp = client({ attemptTimeoutMs: 60_000 }).thing(name).shadow<Lamp>();
      const proxy = proxies[current]!;
      proxy.set('lose-responses');
      const written = lamp.desired.patch({ level: 1 });
      await until('the write is there', async () => (await direct().thing(name).shadow().get()) !== null);
      proxy.set('pass');
      proxy.cutAll();
      expect((await written).version).toBe(1);
      expect((await lamp.get())?.version).toBe(1);
    });
  });

  it('waits until the device has what is desired', async () => {
    const lamp = direct().thing(newThing()).shadow<Lamp>();
    expect(await failure(lamp.converged())).toMatchObject({ code: 'not-found' });
    await lamp.desired.patch({ power: 'on', level: 1 });
    expect(await failure(lamp.converged({ timeoutMs: 300 }))).toMatchObject({ code: 'timeout' });
    const converged = lamp.converged();
    await lamp.reported.patch({ power: 'on' });
    await lamp.reported.patch({ level: 1 });
    expect(await converged).toMatchObject({ version: 3, delta: null });
  });

  it('follows changes over cut connections and changing nodes: each once, the cache as the list', async () => {
    const CHANGES = 240;
    const prefix = `fleet${++things}`;
    const names = [0, 1, 2, 3].map((n) => `${prefix}-${n}`);
    const writer = direct();
    const reader = client();
    const reconnect = { firstMs: 20, longestMs: 100 };
    const filter = { things: `${prefix}-*` };
    const control = new AbortController();
    const path = join(folder, 'cursor');
    const seen: [string, number][] = [];
    let last = 0;
    const watched = (async () => {
      const { signal } = control;
      for await (const change of reader.watch(filter, { cursor: fileCursor(path), initial: true, signal, reconnect })) {
        seen.push([change.thing, change.version]);
        last = change.revision;
      }
    })();
    const cache = await reader.cache(filter, { reconnect }).synced();
    // From its first cursor on it must miss nothing; an initial state that is cut off comes again as it is then.
    await until('the watch has a cursor', () => existsSync(path));

    let isWriting = true;
    const cutting = (async () => {
      for (; isWriting; await pause(150)) {
        proxies[current]!.cutAll();
        current = 1 - current;
      }
    })();
    let written = 0;
    for (let n = 0; n < CHANGES; n++) {
      written = (
        await writer
          .thing(names[n % 4]!)
          .shadow()
          .desired.patch({ n })
      ).revision;
      await pause(2);
    }
    isWriting = false;
    await cutting;
    await until('all were seen', () => last >= written);
    control.abort();
    await watched;
    expect(seen).toEqual(Array.from({ length: CHANGES }, (_, n) => [names[n % 4], Math.floor(n / 4) + 1]));
    expect(readFileSync(path, 'utf8')).toMatch(/^[\w-]+\n$/);
    await cache.reached(written);
    const listed = await Promise.all(names.map((name) => writer.thing(name).shadow().get()));
    const content = ({ thing, version, desired }: ShadowState) => ({ thing, version, desired });
    expect(cache.list().map(content)).toEqual(listed.map((state) => content(state!)));
    await cache.close();
  });

  it('tells the differences when the changes since its cursor were compacted', async () => {
    const prefix = `gone${++things}`;
    const writer = direct();
    const fleet = [0, 1, 2].map((n) => writer.thing(`${prefix}-${n}`).shadow());
    for (const each of fleet) await each.desired.patch({ n: 0 });
    const told: string[] = [];
    const reconnect = { firstMs: 20, longestMs: 50 };
    const cache = client().cache({ things: `${prefix}-*` }, { reconnect });
    await cache.synced();
    const note = (event: string) => (state: ShadowState) => told.push(`${event} ${state.thing.slice(prefix.length)}`);
    cache.on('add', note('add'));
    cache.on('change', note('change'));
    cache.on('remove', note('remove'));
    cache.on('resync', ({ reason, differences }) => told.push(`${reason} ${differences}`));
    for (const proxy of proxies) proxy.set('refuse');
    await until('it is cut off', () => cache.health.state === 'behind');
    await fleet[0]!.delete();
    for (let n = 1; n <= 5; n++) await fleet[1]!.desired.patch({ n });
    const { revision } = await writer.thing(`${prefix}-3`).shadow().desired.patch({ n: 0 });
    await etcd.client.kv.compact({ revision: String(revision), physical: true });
    // It has seen none of these changes, so it must ask the store for them.
    const fresh = await startNode(2);
    const proxy = await TcpProxy.start(fresh.port);
    const before = proxies[current]!;
    proxies[current] = proxy;
    await cache.reached(revision);
    expect(told.sort()).toEqual(['add -3', 'change -1', 'compacted 3', 'remove -0'].sort());
    expect(cache.get(`${prefix}-1`)?.desired).toEqual({ n: 5 });
    await cache.close();
    proxies[current] = before;
    await proxy.stop();
    await fresh.stop();
  });

  it('tells a restored backup from a compaction, and shows what the backup has', async () => {
    const prefix = `restored${++things}`;
    const writer = direct();
    const lamp = (n: number) => writer.thing(`${prefix}-${n}`).shadow();
    const reconnect = { firstMs: 20, longestMs: 50 };
    for (const n of [0, 1]) await lamp(n).desired.patch({ n: 0 });
    await restorable.backup();
    const cache = client().cache({ things: `${prefix}-*` }, { reconnect });
    await cache.synced();
    const resyncs: string[] = [];
    cache.on('resync', ({ reason }) => resyncs.push(reason));
    await lamp(0).delete();
    const { revision } = await lamp(1).desired.patch({ n: 1 });
    await lamp(2).desired.patch({ n: 2 });
    let cursor: string | null = null;
    for await (const change of client().watch(
      { things: `${prefix}-1` },
      { initial: true, minRevision: revision - 1 },
    )) {
      if (change.isInitial) await lamp(1).desired.patch({ n: 2 });
      else cursor = change.cursor;
      if (cursor !== null) break;
    }
    await restorable.restore();
    await until('the cache has noticed', () => resyncs.length > 0);
    expect(resyncs).toEqual(['epoch-changed']);
    const versions = cache.list().map(({ thing, version, desired }) => [thing, version, desired['n']]);
    expect(versions.sort()).toEqual([0, 1].map((n) => [`${prefix}-${n}`, 1, 0]));
    await cache.close();
    const resumed = all(client().watch({ things: `${prefix}-*` }, { cursor: cursor!, reconnect }));
    expect(await failure(resumed as Promise<never>)).toMatchObject({ code: 'epoch-changed' });
  });
});
