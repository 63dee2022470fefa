import { GRPCResourceExhastedError, type ITxnRequest } from 'etcd3';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { createEtcdClient } from '../../src/store/etcd/client/etcd-client.js';
import { EtcdMembers } from '../../src/store/etcd/client/members.js';
import { LeaseTable, type LiveLease } from '../../src/leases/lease-table.js';
import { leaseKey } from '../../src/store/exclusive-claims.js';
import type { Change, ShadowKey } from '../../src/store/shadow-store.js';
import { GroupCommit, LeaseGone } from '../../src/store/etcd/write/group-commit.js';
import { Lineage } from '../../src/store/etcd/lineage.js';
import type { CasWrite } from '../../src/store/etcd/write/pending-write.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { StorageMetrics } from '../../src/telemetry/storage-metrics.js';
import { documentOf, increment, shadow, within } from '../harness/changes.js';
import { etcdKeys } from '../harness/etcd-cluster-keys.js';
import { etcdConfig, openChannel, openEtcdStore } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { EtcdRecorder, interceptTxns } from '../harness/recorder.js';
import { until } from '../harness/until.js';
import { tell, want } from '../suites/exclusive-leases.suite.js';

/** Write Txns among the recorded calls, each as the keys it holds. */
const batches = (recorder: EtcdRecorder): string[][] =>
  recorder.calls
    .map(({ request }) => (request as ITxnRequest).success ?? [])
    .filter((ops) => ops[0]?.request_txn)
    .map((ops) => ops.map((op) => String(op.request_txn?.compare?.[0]?.key)));

describe('group commit', () => {
  let server: EtcdServer;
  const recorder = new EtcdRecorder();
  const closers: (() => unknown)[] = [];
  const recording = {
    createClient: (host: string) => recorder.attach(createEtcdClient(host, etcdConfig([host]), {})),
    createChannel: (host: string) => recorder.attachChannel(openChannel(host)),
  };

  beforeAll(async () => void (server = await startEtcd()));
  afterAll(() => server.stop());
  beforeEach(() => recorder.clear());
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  const openStore = () => {
    const opened = openEtcdStore([server.endpoint], {}, { factories: recording, guardPeriodMs: 3_600_000 });
    closers.push(() => opened.close());
    return opened;
  };
  const openCommit = (endpoint = server.endpoint, inFlight = 2) => {
    const cluster = new EtcdMembers(etcdConfig([endpoint]), SYSTEM_CLOCK, SILENT_LOGGER, recording);
    const commit = new GroupCommit(cluster, new Lineage(), SYSTEM_CLOCK, SILENT_LOGGER, { inFlight });
    closers.push(() => (commit.close(), cluster.close()));
    return commit;
  };
  let keys = 0;
  const put = (changes: Partial<CasWrite> = {}): CasWrite => ({
    key: `/group/${++keys}`,
    guard: 0,
    value: Buffer.from('value'),
    tenant: 'acme',
    ...within(),
    ...changes,
  });

  it('puts 500 concurrent updates of distinct shadows into few Txns', async () => {
    const { store } = openStore();
    await Promise.all(Array.from({ length: 500 }, (_, i) => store.update(shadow(`b-${i}`), increment, within())));
    expect(batches(recorder).flat()).toHaveLength(500);
    expect(batches(recorder).length).toBeLessThanOrEqual(10);
    // With the reads for the first guess.
    expect(recorder.count('txn')).toBeLessThanOrEqual(20);
    expect(recorder.calls.filter(({ method }) => method !== 'txn')).toEqual([]);
  });

  it('sends a lone update at once, in one Txn, when a guess is there', async () => {
    const { store } = openStore();
    await store.update(shadow('lone'), increment, within());
    recorder.clear();
    await store.update(shadow('lone'), increment, within());
    expect(batches(recorder)).toHaveLength(1);
    expect(recorder.calls).toHaveLength(1);
  });

  it('answers a lost CAS from its failure branch, without a read', async () => {
    const { store } = openStore();
    const other = openEtcdStore([server.endpoint]);
    closers.push(() => other.close());
    await store.update(shadow('lost'), increment, within());
    await other.store.update(shadow('lost'), increment, within());
    recorder.clear();
    expect(documentOf(await store.update(shadow('lost'), increment, within())).reported).toEqual({ count: 3 });
    expect(batches(recorder)).toHaveLength(2);
    expect(recorder.calls).toHaveLength(2);
  });

  it('counts its writes, batches, reads and calls, exactly', async () => {
    const metrics = new StorageMetrics();
    const committed: number[] = [];
    const options = { metrics, commit: { onCommitted: (revision: number) => void committed.push(revision) } };
    const { store } = openEtcdStore([server.endpoint], {}, { ...options, guardPeriodMs: 3_600_000 });
    const other = openEtcdStore([server.endpoint]);
    closers.push(
      () => store.close(),
      () => other.close(),
    );
    await Promise.all(Array.from({ length: 30 }, (_, i) => store.update(shadow(`m-${i}`), increment, within())));
    await other.store.update(shadow('m-0'), increment, within());
    await store.update(shadow('m-0'), increment, within());
    await expect(store.get(shadow('m-none'), within())).resolves.toBeNull();
    const { commit, reads, etcd } = metrics;
    const counts = Object.values(commit.results).map((cell) => commit.writes.value(cell));
    // 30 were made, one was beaten by the other node and won on what had beaten it.
    expect(counts).toEqual([31, 1, 0, 0, 0]);
    expect(commit.wait.count(0)).toBe(32);
    const written = commit.batch.samples()?.find(({ suffix }) => suffix === '_sum')?.value;
    expect(written).toBe(32);
    expect(commit.duration.count(0)).toBe(commit.batch.count(0));
    expect(committed.length).toBe(commit.batch.count(0) - 1);
    expect(reads.batch.samples()?.find(({ suffix }) => suffix === '_sum')?.value).toBe(31);
    expect([reads.lookups.value(reads.hit), reads.lookups.value(reads.miss)]).toEqual([1, 30]);
    expect(etcd.duration.count(etcd.durationOf.txn)).toBe(commit.batch.count(0) + reads.batch.count(0));
    await until('a look at the members', () => etcd.leader.samples()?.length === 1);
    expect(etcd.leader.samples()?.[0]).toMatchObject({ labels: ['member', server.endpoint], value: 1 });
    expect(etcd.used.samples()?.[0]?.value).toBeGreaterThan(0);
    const failed = etcd.calls.samples()?.filter(({ labels, value }) => labels[3] !== 'ok' && value > 0);
    expect(failed).toEqual([]);
  });

  it('reads many shadows in one Txn', async () => {
    const { store } = openStore();
    await store.update(shadow('r-5'), increment, within());
    recorder.clear();
    const found = await Promise.all(Array.from({ length: 100 }, (_, i) => store.get(shadow(`r-${i}`), within())));
    expect(recorder.calls).toHaveLength(1);
    expect(found.findIndex((record) => record !== null)).toBe(5);
  });

  it('reads a shadow that many ask for once', async () => {
    const { store } = openStore();
    await Promise.all(Array.from({ length: 50 }, () => store.get(shadow('popular'), within())));
    expect((recorder.calls[0]?.request as ITxnRequest).success).toHaveLength(1);
  });

  it('never holds a key twice in the batches under way, and decides each write for itself', async () => {
    const commit = openCommit();
    const doubles = Array.from({ length: 4 }, () => put({ key: '/group/double' }));
    const others = Array.from({ length: 20 }, () => put());
    const outcomes = await Promise.all([...doubles, ...others].map((write) => commit.submit(write)));
    expect(
      outcomes
        .slice(0, 4)
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(['lost', 'lost', 'lost', 'won']);
    expect(outcomes.slice(4).every(({ kind }) => kind === 'won')).toBe(true);
    for (const batch of batches(recorder)) expect(new Set(batch).size).toBe(batch.length);
  });

  it('removes on a full etcd what shared a batch with a put', async () => {
    const there = put();
    const first = await openCommit().submit(there);
    // As servers do that count nested puts (3.5.33, 3.6.14).
    const createChannel = (host: string) =>
      interceptTxns(openChannel(host), (request, send) => {
        const ops = request.success?.flatMap((op) => op.request_txn?.success ?? []) ?? [];
        if (!ops.some((op) => op.request_put)) return send();
        throw new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded');
      });
    const cluster = new EtcdMembers(etcdConfig([server.endpoint]), SYSTEM_CLOCK, SILENT_LOGGER, { createChannel });
    const commit = new GroupCommit(cluster, new Lineage(), SYSTEM_CLOCK, SILENT_LOGGER);
    closers.push(() => (commit.close(), cluster.close()));
    const guard = first.kind === 'won' ? first.position.revision : -1;
    const refused = commit.submit(put());
    const removed = commit.submit({ ...there, guard, value: null });
    await expect(refused).rejects.toMatchObject({ code: 'storageFull' });
    expect(await removed).toMatchObject({ kind: 'won' });
  });

  it('tells a loser what is there, and lets the others of its batch win at one revision', async () => {
    const commit = openCommit();
    const first = put({ value: Buffer.from('first') });
    await commit.submit(first);
    recorder.clear();
    const [lost, ...won] = await Promise.all(
      [{ ...first, value: Buffer.from('x') }, put(), put()].map((w) => commit.submit(w)),
    );
    expect(batches(recorder)).toHaveLength(1);
    expect(lost).toMatchObject({ kind: 'lost', doubted: false, current: { value: Buffer.from('first') } });
    expect(won.map(({ kind }) => kind)).toEqual(['won', 'won']);
    const revisions = won.map((outcome) => (outcome.kind === 'won' ? outcome.position.revision : -1));
    expect(new Set(revisions).size).toBe(1);
    const { kvs } = await server.client.kv.range({ key: Buffer.from(`/group/${keys}`) });
    expect(Number(kvs[0]?.mod_revision)).toBe(revisions[0]);
  });

  it('keeps to the bytes that etcd takes', async () => {
    const commit = openCommit();
    const writes = Array.from({ length: 12 }, () => put({ value: Buffer.alloc(300_000) }));
    const outcomes = await Promise.all(writes.map((write) => commit.submit(write)));
    expect(outcomes.every(({ kind }) => kind === 'won')).toBe(true);
    expect(batches(recorder).map((batch) => batch.length)).toEqual([3, 3, 3, 3]);
  });

  it('gives a small tenant its turn beside one with many writes', async () => {
    const commit = openCommit(server.endpoint, 1);
    const order: string[] = [];
    const submit = (tenant: string) => commit.submit(put({ tenant })).then(() => order.push(tenant));
    const crowd = Array.from({ length: 1_000 }, () => submit('crowd'));
    const lone = submit('lone');
    await Promise.all([...crowd, lone]);
    // In the first batch of ten.
    expect(order.indexOf('lone')).toBeLessThan(100);
  });

  it('refuses a write whose lease is gone, and only that', async () => {
    const commit = openCommit();
    const [gone, ...others] = await Promise.allSettled(
      [put({ lease: '12345' }), put(), put()].map((w) => commit.submit(w)),
    );
    expect(gone).toMatchObject({ status: 'rejected', reason: expect.any(LeaseGone) });
    expect(others).toMatchObject([{ value: { kind: 'won' } }, { value: { kind: 'won' } }]);
  });

  describe('with an exclusive lease', () => {
    const cluster = () => {
      const fixture = etcdKeys([server.endpoint], { prefix: '/test/v1/' });
      closers.push(() => fixture.close());
      return new LeaseTable(fixture.keys, SYSTEM_CLOCK, SILENT_LOGGER);
    };
    const take = (table: LeaseTable, ...things: string[]) =>
      table.take('acme', 'ann', { things, ttlSeconds: 60, exclusive: true }, performance.now() + 5_000);
    const compares = () =>
      recorder.calls
        .map(({ request }) => request as ITxnRequest)
        .filter(({ success }) => success?.[0]?.request_txn)
        .map(({ compare }) => compare?.length ?? 0);
    const many = Array.from({ length: 100 }, (_, i) => shadow(`x-${i}`));

    it('compares one key for all writes to desired of a batch, and none for reports', async () => {
      const { store } = openStore();
      const write = (change: Change) => Promise.all(many.map((key) => store.update(key, change, within())));
      await write(want('first'));
      recorder.clear();
      await write(want('second'));
      expect(new Set(compares())).toEqual(new Set([1]));
      expect(recorder.calls.length).toBeLessThanOrEqual(4);
      recorder.clear();
      await write(tell('device'));
      expect(new Set(compares())).toEqual(new Set([0]));
    });

    it('sends the others of a batch again when it was taken meanwhile', async () => {
      const { store } = openStore();
      const table = cluster();
      const keys = [...many, shadow('x-0', null, 'zoo'), shadow('reports')];
      const change = (key: ShadowKey): Change => (key.thing === 'reports' ? tell('device') : want('plain'));
      const write = () => Promise.allSettled(keys.map((key) => store.update(key, change(key), within())));
      await write();
      const lease = await take(table, 'x-7', 'x-9*');
      const ends = await write();
      const refused = ends.flatMap((end, i) => (end.status === 'rejected' ? [[many[i]!.thing, end.reason.code]] : []));
      const held = many.map(({ thing }) => thing).filter((thing) => thing === 'x-7' || thing.startsWith('x-9'));
      expect(refused).toEqual(held.map((thing) => [thing, 'leaseExclusive']));
      await table.end('acme', lease.id);
    });

    it.each([
      ['won that was applied before it was taken, although the answer was lost', true],
      ['refused that was not', false],
    ])('tells a write %s', async (_, isApplied) => {
      const table = cluster();
      const key = shadow(`doubt-${isApplied}`);
      let lease: LiveLease | null = null;
      let lose = false;
      const createChannel = (host: string) =>
        interceptTxns(openChannel(host), async (request, send) => {
          if (!lose || !request.success?.some((op) => op.request_txn)) return send();
          lose = false;
          if (isApplied) await send();
          lease = await take(table, key.thing);
          throw new Error('the connection was cut');
        });
      const opened = openEtcdStore([server.endpoint], {}, { factories: { createChannel }, guardPeriodMs: 3_600_000 });
      closers.push(() => opened.close());
      await opened.store.update(key, want('first'), within());
      lose = true;
      const [end] = await Promise.allSettled([opened.store.update(key, want('second'), within())]);
      expect(end.status === 'fulfilled' ? 'won' : end.reason.code).toBe(isApplied ? 'won' : 'leaseExclusive');
      const { version, desired } = documentOf(await opened.store.get(key, within()));
      expect([version, desired]).toEqual(isApplied ? [2, { by: 'second' }] : [1, { by: 'first' }]);
      await table.end('acme', lease!.id);
    });

    it('never has a write of others to desired between the grant and the end', async () => {
      const stores = [openStore().store, openStore().store];
      const table = cluster();
      const key = shadow('raced');
      const landed: number[] = [];
      let isOver = false;
      const rivals = stores.map(async (store) => {
        while (!isOver) {
          const [end] = await Promise.allSettled([store.update(key, want('rival'), within())]);
          if (end.status === 'fulfilled') landed.push(end.value.position.revision);
        }
      });
      const held: [from: number, to: number][] = [];
      for (let round = 0; round < 15; round++) {
        const lease = await take(table, 'raced');
        const fence = { claim: leaseKey('acme', lease.id), revision: lease.token };
        let last = 0;
        for (const store of stores)
          last = (await store.update(key, want('holder'), { ...within(), fence })).position.revision;
        held.push([lease.token, last]);
        await table.end('acme', lease.id);
        const before = landed.length;
        await until('others write again', () => landed.length > before + 2);
      }
      isOver = true;
      await Promise.all(rivals);
      expect(landed.filter((at) => held.some(([from, to]) => at > from && at < to))).toEqual([]);
    });
  });

  it('refuses more writes than may wait, and takes the others', async () => {
    const cluster = new EtcdMembers(etcdConfig([server.endpoint]), SYSTEM_CLOCK, SILENT_LOGGER);
    const commit = new GroupCommit(cluster, new Lineage(), SYSTEM_CLOCK, SILENT_LOGGER, { maxQueued: 10 });
    closers.push(() => (commit.close(), cluster.close()));
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => commit.submit(put())));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(results.at(-1)).toMatchObject({ reason: { code: 'tooManyRequests' } });
  });

  it('refuses writes that are too many bytes together', async () => {
    const cluster = new EtcdMembers(etcdConfig([server.endpoint]), SYSTEM_CLOCK, SILENT_LOGGER);
    const options = { maxQueuedBytes: 1_000_000 };
    const commit = new GroupCommit(cluster, new Lineage(), SYSTEM_CLOCK, SILENT_LOGGER, options);
    closers.push(() => (commit.close(), cluster.close()));
    const large = () => commit.submit(put({ value: Buffer.alloc(300_000) }));
    const results = await Promise.allSettled(Array.from({ length: 5 }, large));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    expect(results.at(-1)).toMatchObject({ reason: { code: 'tooManyRequests' } });
    expect(await large()).toMatchObject({ kind: 'won' });
  });
});

describe('group commit against a server that takes less', () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await startEtcd({ args: ['--max-txn-ops', '20', '--max-request-bytes', '65536'] });
  });
  afterAll(() => server.stop());

  it('splits what is too much, and refuses only the write that is too large by itself', async () => {
    const cluster = new EtcdMembers(etcdConfig([server.endpoint]), SYSTEM_CLOCK, SILENT_LOGGER);
    const commit = new GroupCommit(cluster, new Lineage(), SYSTEM_CLOCK, SILENT_LOGGER);
    const writes = Array.from({ length: 100 }, (_, i) => ({
      key: `/split/${i}`,
      guard: 0,
      value: Buffer.alloc(i === 37 ? 100_000 : 100),
      tenant: 'acme',
      ...within(20_000),
    }));
    const results = await Promise.allSettled(writes.map((write) => commit.submit(write)));
    expect(results[37]).toMatchObject({ status: 'rejected', reason: { code: 'tooLarge' } });
    expect(results.filter((result) => result.status === 'fulfilled' && result.value.kind === 'won')).toHaveLength(99);
    commit.close();
    cluster.close();
  });
});
