import { GRPCResourceExhastedError, type ITxnRequest } from 'etcd3';
import { ServiceError } from '../../src/errors/service-error.js';
import { formatKey } from '../../src/store/etcd/keys.js';
import type { EtcdStore } from '../../src/store/etcd/open-etcd.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import type { ShadowFeed } from '../../src/store/shadow-feed.js';
import type { Change, ShadowKey } from '../../src/store/shadow-store.js';
import type { JointChange } from '../../src/store/transaction.js';
import { documentOf, increment, remove, report, shadow, within } from '../harness/changes.js';
import { etcdKeys } from '../harness/etcd-cluster-keys.js';
import { etcdFeed } from '../harness/etcd-feed.js';
import { openChannel, openEtcdStore } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { EtcdRecorder, interceptTxns } from '../harness/recorder.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';
import { testExclusiveLeases } from '../suites/exclusive-leases.suite.js';
import { countOf, each, move, testTransactions, type TransactionsUnderTest } from '../suites/transactions.suite.js';

const PREFIX = '/test/v1/';
let server: EtcdServer;
beforeAll(async () => void (server = await startEtcd()));
afterAll(() => server.stop());

const openMemory = async (): Promise<TransactionsUnderTest> => {
  const keys = new MemoryClusterKeys();
  const store = new MemoryShadowStore({ clusterKeys: keys });
  return { one: store, other: store, keys, close: () => store.close() };
};
const openEtcd = async (): Promise<TransactionsUnderTest> => {
  const [one, other, cluster] = [
    openEtcdStore([server.endpoint]),
    openEtcdStore([server.endpoint]),
    etcdKeys([server.endpoint], { prefix: PREFIX }),
  ];
  return {
    one: one.store,
    other: other.store,
    keys: cluster.keys,
    close: async () => void (await Promise.all([one.close(), other.close(), cluster.close()])),
  };
};

testTransactions('memory', openMemory);
testTransactions('etcd', openEtcd);
testExclusiveLeases('memory', openMemory);
testExclusiveLeases('etcd', openEtcd);

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
  );

/** The members that the first revision after `from` brings. */
async function nextBatch(feed: ShadowFeed, from: Parameters<ShadowFeed['after']>[0], signal: AbortSignal) {
  for await (const batch of feed.after(from, signal)) if (batch.records.length > 0) return batch;
  throw new Error('the feed has ended');
}

describe('the members of a transaction', () => {
  const names = ['z', 'a', 'm'];

  it('come from the feed in one batch, in etcd and in memory', async () => {
    const stop = new AbortController();
    const memory = new MemoryShadowStore();
    const { store, close } = openEtcdStore([server.endpoint]);
    const fixture = etcdFeed(server, { prefix: PREFIX });
    for (const [each_, feed] of [
      [memory, new MemoryShadowFeed(memory)],
      [store, fixture.feed],
    ] as const) {
      const keys = names.map((thing) => shadow(`batch-${thing}`));
      const before = await feed.head(stop.signal);
      const { position } = await each_.transact({ keys, change: each(increment, null, report({ b: 1 })) }, within());
      const { records, position: at } = await nextBatch(feed, before, stop.signal);
      expect(at.revision).toBe(position.revision);
      expect(records.map(({ key }) => key.thing)).toEqual(['batch-z', 'batch-m']);
    }
    stop.abort();
    await close();
    await fixture.close();
  });
});

/** A transaction whose answer is lost is applied once, and its caller is told the truth (ETCD 3.3). */
describe('transactions in doubt', () => {
  let proxy: TcpProxy;
  let direct: EtcdStore;
  const opened: EtcdStore[] = [];
  let things = 0;

  beforeAll(() => void (direct = openEtcdStore([server.endpoint])));
  afterAll(() => direct.close());
  beforeEach(async () => void (proxy = await TcpProxy.start(server.port)));
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await proxy.stop();
  });

  const open = (endpoint: string, options: Parameters<typeof openEtcdStore>[2] = {}): EtcdStore => {
    const store = openEtcdStore([endpoint], { callTimeoutMs: 200 }, { guardPeriodMs: 3_600_000, ...options });
    opened.push(store);
    return store;
  };
  /** Three shadows that the store has written, so that it guesses right. */
  const known = async ({ store }: EtcdStore): Promise<ShadowKey[]> => {
    const keys = [0, 1, 2].map(() => shadow(`doubt-${++things}`));
    await store.transact({ keys, change: each(increment, increment, increment) }, within());
    return keys;
  };
  const all = each(increment, increment, increment);
  const writesOf = (keys: readonly ShadowKey[]): Promise<number[]> =>
    Promise.all(
      keys.map(async (key) => {
        const { kvs } = await server.client.kv.range({ key: Buffer.from(formatKey(PREFIX, key)) });
        return Number(kvs[0]?.version ?? 0);
      }),
    );
  const heal = (): void => {
    proxy.set('pass');
    proxy.cutAll();
  };

  it('have won exactly once when the connection is cut instead of the answer', async () => {
    const node = open(proxy.endpoint);
    const keys = await known(node);
    proxy.set('cut-on-response');
    const { records } = await node.store.transact({ keys, change: all }, within());
    expect(proxy.cuts).toBe(1);
    expect(records.map((record) => documentOf(record).version)).toEqual([2, 2, 2]);
    expect(await writesOf(keys)).toEqual([2, 2, 2]);
  });

  it('have won when one member was overtaken meanwhile, and tell the revision of the commit', async () => {
    const node = open(proxy.endpoint);
    const keys = await known(node);
    proxy.set('lose-responses');
    const doubted = node.store.transact({ keys, change: each(null, increment, increment) }, within(10_000));
    await until('it is applied', async () => (await writesOf(keys))[1] === 2);
    for (let i = 0; i < 3; i++) await direct.store.update(keys[1]!, increment, within());
    heal();
    const { position, records } = await doubted;
    expect(records.map((record) => documentOf(record).version)).toEqual([1, 2, 2]);
    expect((await direct.store.get(keys[2]!, within()))!.position).toEqual(position);
    expect(await writesOf(keys)).toEqual([1, 5, 2]);
  });

  it('have lost, and are made again on what is there, when another was faster', async () => {
    const node = open(proxy.endpoint);
    const keys = await known(node);
    // Not even the request arrives.
    proxy.set('blackhole');
    const doubted = node.store.transact({ keys, change: all }, within(10_000));
    await direct.store.update(keys[2]!, increment, within());
    heal();
    const { records } = await doubted;
    expect(records.map((record) => documentOf(record).version)).toEqual([2, 2, 3]);
    expect(await writesOf(keys)).toEqual([2, 2, 3]);
  });

  it('are unknown when the deadline comes first, and unavailable when nothing ever left', async () => {
    const node = open(proxy.endpoint);
    const keys = await known(node);
    proxy.set('lose-responses');
    expect(await codeOf(node.store.transact({ keys, change: all }, within(400)))).toBe('outcomeUnknown');
    expect(await writesOf(keys)).toEqual([2, 2, 2]);
    // No shadow stays in its turn.
    heal();
    expect((await node.store.transact({ keys, change: all }, within())).records).toHaveLength(3);
    proxy.set('refuse');
    await codeOf(node.store.get(keys[0]!, within(100)));
    expect(await codeOf(node.store.transact({ keys, change: all }, within(300)))).toBe('storageUnavailable');
    expect(await writesOf(keys)).toEqual([3, 3, 3]);
  });

  it('have won as soon as the watch tells it, although no answer comes', async () => {
    const node = open(proxy.endpoint);
    const keys = await known(node);
    proxy.set('lose-responses');
    const doubted = node.store.transact({ keys, change: all }, within(10_000));
    await until('it is applied', async () => (await writesOf(keys))[0] === 2);
    const key = formatKey(PREFIX, keys[0]!);
    const { kvs, header } = await server.client.kv.range({ key: Buffer.from(key) });
    const at = { cluster: header.cluster_id, epoch: 0, revision: Number(kvs[0]!.mod_revision) };
    node.transactions.confirm(key, Buffer.from(kvs[0]!.value.toString().replace('"w":"', '"w":"other.1,')), at);
    expect(await Promise.race([doubted, Promise.resolve('waits')])).toBe('waits');
    node.transactions.confirm(key, kvs[0]!.value, at);
    expect((await doubted).position).toEqual(at);
    expect(node.transactions.areWatched).toBe(false);
  });

  it('without a write are told by the value of their guarded key, and never put it twice', async () => {
    const node = open(proxy.endpoint);
    const keys = await known(node);
    const name = `doubt/${keys[0]!.thing}`;
    const put = { key: name, revision: null, put: { value: () => 'mine' } };
    proxy.set('cut-on-response');
    await node.store.transact({ keys, change: each(null, null, null), guarded: [put] }, within());
    expect(proxy.cuts).toBe(1);
    const { kvs } = await server.client.kv.range({ key: Buffer.from(`${PREFIX}cluster/${name}`) });
    expect(Number(kvs[0]!.version)).toBe(1);
  });

  it('keep a sum, and are each applied once or not at all, while answers are lost again and again', async () => {
    const node = open(proxy.endpoint);
    const keys = [0, 1, 2, 3].map((i) => shadow(`sum-${i}`));
    const ledger = shadow('sum-ledger');
    await direct.store.transact({ keys, change: each(...keys.map(() => report({ count: 10 }))) }, within());
    const moves = Array.from({ length: 80 }, async (_, i) => {
      const { store } = i % 2 ? node : direct;
      const pair = [keys[i % 4]!, keys[(i + 1 + (i % 3)) % 4]!];
      const change: JointChange = (current) => [...move(current), increment(current[2] ?? null)];
      const code = await codeOf(store.transact({ keys: [...pair, ledger], change }, within(20_000)));
      // The next answer to this node is lost, whether it is that to a read, to a commit or to a lost attempt.
      if (i % 2) proxy.set('cut-on-response');
      return code;
    });
    const singles = Array.from({ length: 20 }, async (_, i) => {
      const touch: Change = (current) => report({ count: countOf(current) })(current);
      return codeOf(direct.store.update(keys[i % 4]!, touch, within(20_000)));
    });
    const codes = await Promise.all(moves);
    await Promise.all(singles);
    heal();
    const counts = await Promise.all(
      [...keys, ledger].map(async (key) => countOf((await direct.store.get(key, within()))!.state)),
    );
    const applied = counts.pop();
    expect(proxy.cuts).toBeGreaterThan(20);
    expect(counts.reduce((sum, count) => sum + count)).toBe(40);
    // A move that finds nothing left is refused, and not applied; with time enough no outcome stays unknown.
    expect(applied).toBe(codes.filter((code) => code === 'none').length);
    expect(new Set(codes)).toEqual(new Set(applied === 80 ? ['none'] : ['none', 'preconditionFailed']));
  }, 30_000);

  it('are fenced when the claim went to another while nothing was heard', async () => {
    const node = open(proxy.endpoint);
    const keys = await known(node);
    const cluster = etcdKeys([server.endpoint], { prefix: PREFIX });
    const claim = `claim-${keys[0]!.thing}`;
    const take = () => cluster.keys.commit({ guards: [], puts: [{ key: claim, value: 'node' }] });
    const fence = { claim, revision: (await take())! };
    await node.store.transact({ keys, change: all }, { ...within(), fence });
    proxy.set('blackhole');
    const doubted = codeOf(node.store.transact({ keys, change: all }, { ...within(10_000), fence }));
    await take();
    heal();
    expect(await doubted).toBe('fenced');
    expect(await writesOf(keys)).toEqual([2, 2, 2]);
    await cluster.close();
  });

  it.each([
    ['storageFull when a full etcd has refused them', false],
    ['won when a full etcd has refused and applied them', true],
  ])('are %s', async (_, applies) => {
    const keys = await known(direct);
    const createChannel = (host: string) =>
      interceptTxns(openChannel(host), async (request, send) => {
        if (!request.success?.some((op) => op.request_put)) return send();
        if (applies) await send();
        throw new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded');
      });
    const node = open(server.endpoint, { factories: { createChannel } });
    await node.guard.look();
    expect(await codeOf(node.store.transact({ keys, change: all }, within()))).toBe(applies ? 'none' : 'storageFull');
    expect(await writesOf(keys)).toEqual(applies ? [2, 2, 2] : [1, 1, 1]);
    // Known to be full: a check alone still works.
    expect(await codeOf(node.store.transact({ keys, change: all }, within()))).toBe('storageFull');
    expect(await codeOf(node.store.transact({ keys, change: each(null, null, null) }, within()))).toBe('none');
  });
});

describe('a transaction in etcd', () => {
  const recorder = new EtcdRecorder();
  let node: EtcdStore;
  beforeEach(() => {
    const createChannel = (host: string) => recorder.attachChannel(openChannel(host));
    node = openEtcdStore([server.endpoint], {}, { guardPeriodMs: 3_600_000, factories: { createChannel } });
  });
  afterEach(() => node.close());
  const keys = Array.from({ length: 100 }, (_, i) => shadow(`flat-${i}`));

  it('is one Txn when the node knows its shadows, and two when others were faster', async () => {
    const change = each(...keys.map(() => increment));
    await node.store.transact({ keys, change }, within());
    recorder.clear();
    await node.store.transact({ keys, change }, within());
    expect(recorder.calls).toHaveLength(1);
    const { compare, success } = recorder.calls[0]!.request as ITxnRequest;
    expect([compare!.length, success!.length]).toEqual([100, 100]);
    const other = openEtcdStore([server.endpoint]);
    await other.store.update(keys[50]!, increment, within());
    recorder.clear();
    const { records } = await node.store.transact({ keys, change }, within());
    expect(recorder.calls).toHaveLength(2);
    expect(records.map((record) => documentOf(record).version)).toEqual(keys.map((_, i) => (i === 50 ? 4 : 3)));
    await other.close();
  });

  it('ends its tombstones by a lease, and takes another when that is gone', async () => {
    const [a, b] = [shadow('lease-a'), shadow('lease-b')];
    const leaseOf = async (key: ShadowKey): Promise<string> => {
      const { kvs } = await server.client.kv.range({ key: Buffer.from(formatKey(PREFIX, key)) });
      return kvs[0]!.lease;
    };
    await node.store.transact({ keys: [a, b], change: each(increment, increment) }, within());
    await node.store.update(a, remove, within());
    const first = await leaseOf(a);
    await server.client.leaseClient.leaseRevoke({ ID: first });
    const { records } = await node.store.transact({ keys: [a, b], change: each(increment, remove) }, within());
    expect(records[1]).toMatchObject({ state: { deleted: true } });
    expect([await leaseOf(a), await leaseOf(b)]).toEqual(['0', expect.not.stringMatching(`^(0|${first})$`)]);
  });

  it('is refused when its records are more than etcd takes at once', async () => {
    const large = report({ text: 'x'.repeat(12_000) });
    const refused = node.store.transact({ keys, change: each(...keys.map(() => large)) }, within());
    await expect(refused).rejects.toThrow(/^The payload exceeds the maximum size allowed: .* 1048576 bytes together$/);
  });
});
