import { GRPCResourceExhastedError } from 'etcd3';
import { ServiceError } from '../../src/errors/service-error.js';
import type { Change } from '../../src/store/shadow-store.js';
import { decodeRecord, idsOf } from '../../src/store/etcd/codec.js';
import type { EtcdStore } from '../../src/store/etcd/open-etcd.js';
import { formatKey } from '../../src/store/etcd/keys.js';
import { documentOf, increment, shadow, within } from '../harness/changes.js';
import { StorageMetrics } from '../../src/telemetry/storage-metrics.js';
import { openChannel, openEtcdStore } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { freePort } from '../harness/ports.js';
import { interceptTxns } from '../harness/recorder.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
  );

/** A write whose answer is lost is applied once, and its caller is told the truth (ETCD 3.3). */
describe('writes in doubt', () => {
  let server: EtcdServer;
  let proxy: TcpProxy;
  let direct: EtcdStore;
  const opened: EtcdStore[] = [];

  beforeAll(async () => {
    server = await startEtcd();
    direct = openEtcdStore([server.endpoint]);
  });
  afterAll(async () => {
    await direct.close();
    await server.stop();
  });
  beforeEach(async () => void (proxy = await TcpProxy.start(server.port)));
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await proxy.stop();
  });

  const openWith = (callTimeoutMs: number, endpoints: readonly string[], metrics = new StorageMetrics()): EtcdStore => {
    const store = openEtcdStore(endpoints, { callTimeoutMs }, { guardPeriodMs: 3_600_000, metrics });
    opened.push(store);
    return store;
  };
  const open = (...endpoints: string[]): EtcdStore => openWith(200, endpoints);
  /** Writes that etcd has seen for a shadow. */
  const writesOf = async (thing: string): Promise<number> => {
    const { kvs } = await server.client.kv.range({ key: Buffer.from(formatKey('/test/v1/', shadow(thing))) });
    return Number(kvs[0]?.version ?? 0);
  };

  it('has won exactly once when the connection is cut instead of the answer', async () => {
    const { store } = open(proxy.endpoint);
    for (let i = 0; i < 5; i++) {
      await store.update(shadow(`cut-${i}`), increment, within());
      proxy.set('cut-on-response');
      const record = await store.update(shadow(`cut-${i}`), increment, within());
      expect(proxy.cuts).toBe(i + 1);
      expect(documentOf(record)).toMatchObject({ version: 2, reported: { count: 2 } });
      expect(await writesOf(`cut-${i}`)).toBe(2);
      expect(await direct.store.get(shadow(`cut-${i}`), within())).toMatchObject(record);
    }
  });

  it('has won exactly once for every write of a batch, and is counted', async () => {
    const metrics = new StorageMetrics();
    const { commit, etcd } = metrics;
    const { store } = openWith(200, [proxy.endpoint], metrics);
    const things = Array.from({ length: 50 }, (_, i) => `batch-${i}`);
    await Promise.all(things.map((thing) => store.update(shadow(thing), increment, within())));
    // Of the quota, the alarms and a lease: one of those would be cut instead.
    await until('the first look at etcd', () => etcd.duration.count(etcd.durationOf.other) === 3);
    proxy.set('cut-on-response');
    const records = await Promise.all(things.map((thing) => store.update(shadow(thing), increment, within())));
    expect(proxy.cuts).toBe(1);
    expect(records.map((record) => documentOf(record).version)).toEqual(things.map(() => 2));
    for (const thing of things) expect(await writesOf(thing)).toBe(2);
    // What arrived while the first batch was on its way was a batch of its own.
    const doubted = commit.doubts.value(commit.byWriteId.won);
    expect(doubted).toBeGreaterThan(0);
    // Each lost to itself when it was sent again.
    expect(commit.writes.value(commit.results.lost)).toBe(doubted);
    expect(commit.writes.value(commit.results.won)).toBe(100 - doubted);
    const failed = etcd.calls.samples()?.filter(({ labels, value }) => value > 0 && labels[3] !== 'ok') ?? [];
    expect(failed.map(({ labels }) => labels)).toEqual([['member', proxy.endpoint, 'result', 'in_doubt']]);
    // Where two batches were on their way, the cut left both in doubt.
    const cut = failed[0]!.value;
    expect([cut <= 2, commit.retries.value(commit.retried['in-doubt'])]).toEqual([true, cut]);
    expect(etcd.switches.value(0)).toBeGreaterThan(0);
  });

  it.each([1, 7, 12])('has won when %i others have written on top of it meanwhile', async (others) => {
    const { store } = open(proxy.endpoint);
    const thing = `overtaken-${others}`;
    await store.update(shadow(thing), increment, within());
    proxy.set('lose-responses');
    const doubted = store.update(shadow(thing), increment, within(10_000));
    await until('the write is applied', async () => (await writesOf(thing)) === 2);
    for (let i = 0; i < others; i++) await direct.store.update(shadow(thing), increment, within());
    proxy.set('pass');
    proxy.cutAll();
    const record = await doubted;
    expect(documentOf(record)).toMatchObject({ version: 2, reported: { count: 2 } });
    expect(
      await direct.store.getBefore(
        shadow(thing),
        { ...record.position, revision: record.position.revision + 1 },
        within(),
      ),
    ).toEqual(record);
    expect(documentOf(await direct.store.get(shadow(thing), within())).reported).toEqual({ count: 2 + others });
  });

  it.each([1, 12])('has lost, and is made again, when %i others were faster', async (others) => {
    const { store } = open(proxy.endpoint);
    const thing = `beaten-${others}`;
    await store.update(shadow(thing), increment, within());
    // Not even the request arrives.
    proxy.set('blackhole');
    const doubted = store.update(shadow(thing), increment, within(10_000));
    for (let i = 0; i < others; i++) await direct.store.update(shadow(thing), increment, within());
    proxy.set('pass');
    proxy.cutAll();
    expect(documentOf(await doubted)).toMatchObject({ version: 2 + others, reported: { count: 2 + others } });
    expect(await writesOf(thing)).toBe(2 + others);
  });

  describe('with a fence that fails while nothing is heard of the write', () => {
    const claimOf = async (thing: string) => {
      const { header } = await server.client.kv.put({
        key: Buffer.from(`/test/v1/cluster/${thing}`),
        value: Buffer.from('node'),
      });
      return { claim: thing, revision: Number(header.revision) };
    };

    it('has won when it was applied before', async () => {
      const { store } = open(proxy.endpoint);
      await store.update(shadow('fence-won'), increment, within());
      const fence = await claimOf('fence-won');
      proxy.set('lose-responses');
      const doubted = store.update(shadow('fence-won'), increment, { ...within(10_000), fence });
      await until('the write is applied', async () => (await writesOf('fence-won')) === 2);
      await claimOf('fence-won');
      await direct.store.update(shadow('fence-won'), increment, within());
      proxy.set('pass');
      proxy.cutAll();
      expect(documentOf(await doubted)).toMatchObject({ version: 2, reported: { count: 2 } });
      expect(await writesOf('fence-won')).toBe(3);
    });

    it('is fenced when it never arrived, and undoes nothing that came since', async () => {
      const { store } = open(proxy.endpoint);
      await store.update(shadow('fence-lost'), increment, within());
      const fence = await claimOf('fence-lost');
      proxy.set('blackhole');
      const doubted = codeOf(store.update(shadow('fence-lost'), increment, { ...within(10_000), fence }));
      await claimOf('fence-lost');
      await direct.store.update(shadow('fence-lost'), increment, within());
      proxy.set('pass');
      proxy.cutAll();
      expect(await doubted).toBe('fenced');
      expect(await writesOf('fence-lost')).toBe(2);
    });
  });

  describe('with a signal that is aborted while the write is under way', () => {
    const sent = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

    it('is not sent again, and unknown', async () => {
      const { store } = open(proxy.endpoint);
      await store.update(shadow('signal'), increment, within());
      const over = new AbortController();
      proxy.set('blackhole');
      const doubted = codeOf(store.update(shadow('signal'), increment, { ...within(10_000), signal: over.signal }));
      await sent();
      over.abort();
      proxy.set('pass');
      proxy.cutAll();
      expect(await doubted).toBe('outcomeUnknown');
      expect(await writesOf('signal')).toBe(1);
    });

    it('is not computed again when another was faster', async () => {
      // The answer comes: a busy machine must not make it one that does not.
      const { store } = openWith(5_000, [proxy.endpoint]);
      await store.update(shadow('recompute'), increment, within());
      await direct.store.update(shadow('recompute'), increment, within());
      const over = new AbortController();
      let computed = 0;
      const change: Change = (current) => (computed++, increment(current));
      proxy.latency(50);
      const beaten = codeOf(store.update(shadow('recompute'), change, { ...within(10_000), signal: over.signal }));
      await sent();
      over.abort();
      expect(await beaten).toBe('fenced');
      expect(computed).toBe(1);
      expect(await writesOf('recompute')).toBe(2);
    });
  });

  it('has won as soon as the watch tells it, although no answer comes', async () => {
    const { store, commit } = open(proxy.endpoint);
    const key = formatKey('/test/v1/', shadow('told'));
    await store.update(shadow('told'), increment, within());
    proxy.set('lose-responses');
    const doubted = store.update(shadow('told'), increment, within(10_000));
    await until('the write is applied', async () => (await writesOf('told')) === 2);
    const { kvs, header } = await server.client.kv.range({ key: Buffer.from(key) });
    const { value, mod_revision: revision } = kvs[0]!;
    const at = { cluster: header.cluster_id, epoch: 0, revision: Number(revision) };
    // The values of others settle nothing.
    commit.confirm(key, Buffer.from(value.toString().replace('"w":"', '"w":"other.1,')), at);
    commit.confirm(`${key}-other`, value, at);
    expect(await Promise.race([doubted, Promise.resolve('waits')])).toBe('waits');
    commit.confirm(key, value, at);
    const record = await doubted;
    expect(record.position).toEqual(at);
    expect(documentOf(record)).toMatchObject({ version: 2, reported: { count: 2 } });
    // It is settled; the next change of the shadow does not wait for the answers that are lost.
    const next = store.update(shadow('told'), increment, within(10_000));
    await until('the next write is applied', async () => (await writesOf('told')) === 3);
    proxy.set('pass');
    proxy.cutAll();
    expect(documentOf(await next)).toMatchObject({ version: 3, reported: { count: 3 } });
    expect(await writesOf('told')).toBe(3);
  });

  it('does not write over others when its own place in the history was compacted away', async () => {
    const { store } = open(proxy.endpoint);
    await store.update(shadow('compacted'), increment, within());
    proxy.set('lose-responses');
    const doubted = store.update(shadow('compacted'), increment, within(10_000));
    await until('the write is applied', async () => (await writesOf('compacted')) === 2);
    for (let i = 0; i < 3; i++) await direct.store.update(shadow('compacted'), increment, within());
    const { header } = await server.client.kv.range({ key: Buffer.from('x') });
    await server.client.kv.compact({ revision: header.revision, physical: true });
    proxy.set('pass');
    proxy.cutAll();
    expect(documentOf(await doubted)).toMatchObject({ version: 2, reported: { count: 2 } });
    // The next change is built on what the others wrote, not on what this node wrote before them.
    const next = await store.update(shadow('compacted'), increment, within());
    expect(documentOf(next)).toMatchObject({ version: 6, reported: { count: 6 } });
  });

  it('is unknown, never made again, when others overtook it and its place in the history was compacted away', async () => {
    const { store } = open(proxy.endpoint);
    await store.update(shadow('gone'), increment, within());
    proxy.set('lose-responses');
    const doubted = codeOf(store.update(shadow('gone'), increment, within(10_000)));
    await until('the write is applied', async () => (await writesOf('gone')) === 2);
    // More than a value names writes.
    for (let i = 0; i < 12; i++) await direct.store.update(shadow('gone'), increment, within());
    const { header } = await server.client.kv.range({ key: Buffer.from('x') });
    await server.client.kv.compact({ revision: header.revision, physical: true });
    proxy.set('pass');
    proxy.cutAll();
    expect(await doubted).toBe('outcomeUnknown');
    expect(await writesOf('gone')).toBe(14);
  });

  describe('when etcd says that it is full', () => {
    // Servers that count nested Txns (3.5.33, 3.6.14) check the quota once more when they apply: of 400 concurrent puts
    // at the edge of a quota all 79 that were refused so were stored. Only then the alarm stops them before.
    const openFull = (applies: boolean): EtcdStore => {
      const createChannel = (host: string) =>
        interceptTxns(openChannel(host), async (request, send) => {
          if (!request.success?.some((op) => op.request_txn)) return send();
          if (applies) await send();
          throw new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded');
        });
      const store = openEtcdStore([server.endpoint], {}, { factories: { createChannel }, guardPeriodMs: 3_600_000 });
      opened.push(store);
      return store;
    };

    it('has won if it was applied all the same', async () => {
      await direct.store.update(shadow('full-applied'), increment, within());
      const { store, guard } = openFull(true);
      // The check that begins with the store must not end after the write: it finds space.
      await guard.look();
      const record = await store.update(shadow('full-applied'), increment, within());
      expect(documentOf(record)).toMatchObject({ version: 2, reported: { count: 2 } });
      expect(await direct.store.get(shadow('full-applied'), within())).toMatchObject(record);
      expect(guard.use.full).toBe(true);
    });

    it('is storageFull if it was not', async () => {
      const { store } = openFull(false);
      expect(await codeOf(store.update(shadow('full-new'), increment, within()))).toBe('storageFull');
      expect(await writesOf('full-new')).toBe(0);
    });
  });

  it('is outcomeUnknown when the deadline comes first, although it was applied', async () => {
    const { store } = open(proxy.endpoint);
    await store.update(shadow('unknown'), increment, within());
    proxy.set('lose-responses');
    expect(await codeOf(store.update(shadow('unknown'), increment, within(500)))).toBe('outcomeUnknown');
    expect(await writesOf('unknown')).toBe(2);
    proxy.set('pass');
    proxy.cutAll();
    // The next one finds it.
    expect(documentOf(await store.update(shadow('unknown'), increment, within())).reported).toEqual({ count: 3 });
  });

  it('is storageUnavailable when no request ever left', async () => {
    const { store } = open(`http://127.0.0.1:${await freePort()}`);
    expect(await codeOf(store.update(shadow('nowhere'), increment, within(300)))).toBe('storageUnavailable');
    const known = open(proxy.endpoint);
    await known.store.update(shadow('refused'), increment, within());
    proxy.set('refuse');
    // The first attempt may meet the connection being cut; those after it find none.
    await codeOf(known.store.get(shadow('refused'), within(100)));
    expect(await codeOf(known.store.update(shadow('refused'), increment, within(300)))).toBe('storageUnavailable');
    expect(await writesOf('refused')).toBe(1);
  });

  it('leaves a dead member, and one that hangs, for the next', async () => {
    const { store, cluster } = open(`http://127.0.0.1:${await freePort()}`, proxy.endpoint, server.endpoint);
    expect(documentOf(await store.update(shadow('members'), increment, within())).version).toBe(1);
    // The proxied one, unless the machine was so slow that a call to it ran out of time.
    expect([proxy.endpoint, server.endpoint]).toContain(cluster.current().host);
    proxy.set('blackhole');
    expect(documentOf(await store.update(shadow('members'), increment, within())).version).toBe(2);
    expect(cluster.current().host).toBe(server.endpoint);
    expect(await cluster.status()).toEqual({ ok: true, reason: expect.stringContaining(server.endpoint) });
  });

  it('says that a single member answers which was late for one call', async () => {
    const { store, cluster } = open(proxy.endpoint);
    await store.update(shadow('late'), increment, within());
    proxy.latency(300);
    setTimeout(() => proxy.latency(0), 300);
    expect(await cluster.status()).toEqual({ ok: true, reason: expect.stringContaining(proxy.endpoint) });
  });

  it('says which member fails, and how', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    // The library reports the refusal when the call times out; on a busy machine 200 ms pass before it has asked.
    const patient = openEtcdStore([dead], { callTimeoutMs: 5_000 }, { guardPeriodMs: 3_600_000 });
    opened.push(patient);
    expect(await patient.cluster.status()).toEqual({
      ok: false,
      reason: expect.stringMatching(/does not answer.*ECONNREFUSED/),
    });
  });

  it('ends with the truth when the store closes: what was sent is unknown, what waited is draining', async () => {
    const { store } = open(proxy.endpoint);
    await store.update(shadow('closing'), increment, within());
    proxy.set('blackhole');
    const before = proxy.connections;
    const sent = codeOf(store.update(shadow('closing'), increment, within()));
    const waiting = codeOf(store.update(shadow('closing'), increment, within()));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    await store.close();
    expect(await Promise.all([sent, waiting])).toEqual(['outcomeUnknown', 'draining']);
    expect(proxy.connections).toBe(before);
  });

  it('survives kill -9 of the server between its writes', async () => {
    const own = await startEtcd();
    const { store } = open(own.endpoint);
    let acknowledged = 0;
    const traffic = (async () => {
      for (let i = 0; i < 200; i++) {
        await store.update(shadow('killed'), increment, within(20_000));
        acknowledged++;
      }
    })();
    await until('some writes', () => acknowledged > 20);
    await own.kill9();
    await own.restart();
    await traffic;
    expect(documentOf(await store.get(shadow('killed'), within())).reported).toEqual({ count: 200 });
    const { kvs } = await own.client.kv.range({ key: Buffer.from(formatKey('/test/v1/', shadow('killed'))) });
    expect(kvs[0]?.version).toBe('200');
    expect(new Set(idsOf(decodeRecord(kvs[0]!.value))).size).toBe(8);
    await own.stop();
  });
});
