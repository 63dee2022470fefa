import type { Position } from '../../src/store/position.js';
import type { FeedGap, ShadowFeed } from '../../src/store/shadow-feed.js';
import { etcdFeed } from '../harness/etcd-feed.js';
import { startRestorableEtcd, type RestorableEtcd } from '../harness/etcd-backup.js';
import type { EtcdServer } from '../harness/etcd.js';
import { keyOf, labels, readTo } from '../suites/feed-fixture.js';

const never = new AbortController().signal;

/** What ends a reader that only waits. */
async function endOf(feed: ShadowFeed, from: Position): Promise<FeedGap> {
  return readTo(feed, from, Number.MAX_SAFE_INTEGER).then(
    () => Promise.reject(new Error('it ended without a reason')),
    (error: unknown) => error as FeedGap,
  );
}

describe('a backup of etcd is restored under running nodes', () => {
  let etcd: RestorableEtcd;
  let server: EtcdServer;

  beforeEach(async () => void ({ server } = etcd = await startRestorableEtcd()));
  afterEach(() => etcd.stop());

  it('gives the history a new epoch, once, on all nodes', async () => {
    const nodes = [etcdFeed(server, { prefix: '/r/' }), etcdFeed(server, { prefix: '/r/' })];
    const [node] = nodes as [(typeof nodes)[0]];
    await node.commit([{ key: keyOf('a'), version: 1 }]);
    await etcd.backup();
    const heads = await Promise.all(nodes.map(({ feed }) => feed.head(never)));
    const ends = nodes.map(({ feed }, i) => endOf(feed, heads[i]!));
    for (let version = 2; version < 10; version++) await node.commit([{ key: keyOf('a'), version }]);
    await Promise.all(nodes.map(({ feed }) => readTo(feed, heads[0]!, heads[0]!.revision + 8)));
    await etcd.restore();

    for (const end of await Promise.all(ends)) expect(end).toMatchObject({ name: 'FeedGap', reason: 'epoch-changed' });
    const after = await Promise.all(nodes.map(({ feed }) => feed.head(never)));
    expect(after.map((position) => position.epoch)).toEqual([1, 1]);
    expect(after[0]?.cluster).toBe(heads[0]?.cluster);
    expect(after[0]!.revision).toBeLessThan(heads[0]!.revision + 8);
    const late = etcdFeed(server, { prefix: '/r/' });
    expect((await late.feed.head(never)).epoch).toBe(1);

    const revision = await node.commit([{ key: keyOf('a'), version: 2 }]);
    expect(labels(await readTo(node.feed, after[0]!, revision))).toEqual(['a@2']);
    expect(await endOf(node.feed, heads[0]!)).toMatchObject({ reason: 'epoch-changed' });
    await Promise.all([...nodes, late].map((each) => each.close()));
  });

  it('is noticed although the new history is longer already', async () => {
    const node = etcdFeed(server, { prefix: '/w/' });
    await node.commit([{ key: keyOf('a'), version: 1 }]);
    await etcd.backup();
    const head = await node.feed.head(never);
    const revision = await node.commit([{ key: keyOf('a'), version: 2 }]);
    await readTo(node.feed, head, revision);
    await etcd.restore();
    for (let version = 50; version < 60; version++) await node.commit([{ key: keyOf('b'), version }]);

    expect(await endOf(node.feed, { ...head, revision })).toMatchObject({ reason: 'epoch-changed' });
    expect((await node.feed.head(never)).epoch).toBe(1);
    await node.close();
  });

  it('lets readers learn that they have caught up as before', async () => {
    const node = etcdFeed(server, { prefix: '/m/' });
    await node.commit([{ key: keyOf('a'), version: 1 }]);
    await etcd.backup();
    // A revision without shadows: the reader is told by a marker, at a revision that the restored history is far below.
    const head = await node.feed.head(never);
    for (let i = 0; i < 30; i++) await node.commit([]);
    const old = await node.feed.head(never);
    await readTo(node.feed, head, old.revision);
    await etcd.restore();
    const restored = await node.feed.head(never);
    expect(restored).toMatchObject({ epoch: 1 });
    const revision = await node.commit([]);
    expect(revision).toBeLessThan(old.revision);
    expect(labels(await readTo(node.feed, restored, revision))).toEqual([]);
    await node.close();
  });

  it('is not confused with a restart', async () => {
    const node = etcdFeed(server, { prefix: '/n/' });
    const head = await node.feed.head(never);
    const first = await node.commit([{ key: keyOf('a'), version: 1 }]);
    await readTo(node.feed, head, first);
    await server.kill9();
    await server.restart();
    const second = await node.commit([{ key: keyOf('a'), version: 2 }]);
    expect(labels(await readTo(node.feed, head, second))).toEqual(['a@1', 'a@2']);
    expect(node.history.epoch).toBe(0);
    await node.close();
  });
});
