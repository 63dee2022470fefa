import { isDeepStrictEqual } from 'node:util';
import { QUICK_ELECTION, startEtcd, type EtcdServer } from '../harness/etcd.js';
import { judgeCalm } from '../matrix/calm.js';
import { COLUMNS } from '../matrix/columns.js';
import type { Servers } from '../matrix/servers.js';
import { keyOf as shadowKey } from '../matrix/traffic.js';
import { startRedis, type RedisServer } from '../harness/redis.js';
import { askRedis, startSentinelCluster, type SentinelCluster } from '../harness/redis-sentinel.js';
import { redisFeed } from '../harness/redis-feed.js';
import { TEST_QUEUE } from '../harness/etcd-store.js';
import { until } from '../harness/until.js';
import { EtcdShadowStore } from '../../src/store/etcd/etcd-shadow-store.js';
import { EtcdShadowFeed } from '../../src/store/etcd/feed/etcd-shadow-feed.js';
import { FeedGap } from '../../src/store/shadow-feed.js';
import { change } from '../bench/benches/store.js';
import type { RedisPlace } from '../bench/peers/redis-connection.js';
import { RedisFeed } from '../bench/peers/redis-feed.js';
import { RedisShadowStore, type RedisStoreOptions } from '../bench/peers/redis-store.js';
import { keyOf, label, readTo } from '../suites/feed-fixture.js';
import { shadowFeedSuite } from '../suites/shadow-feed.suite.js';
import { testShadowStore, type StoreUnderTest } from '../suites/shadow-store.suite.js';

const config = { maxQueuedPerShadow: TEST_QUEUE, cacheEntries: 10_000 };

function stores(place: RedisPlace, options: RedisStoreOptions = {}): StoreUnderTest {
  const one = new RedisShadowStore(place, config, options);
  const other = new RedisShadowStore(place, config, options);
  return {
    ...{ one, other, maxQueuedPerShadow: TEST_QUEUE },
    close: async () => void (await Promise.all([one.close(), other.close()])),
  };
}

/** The peer of the labs keeps the same promises as the store that it is measured against, or the race is unfair. */
let server: RedisServer;
let cluster: SentinelCluster;
beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startSentinelCluster({ minReplicas: 1 })]);
});
afterAll(() => Promise.all([server.stop(), cluster.stop()]));

const place = () => ({ sentinels: cluster.sentinels, name: cluster.name });
const primary = async () => cluster.servers[await cluster.primary()]!;

testShadowStore('redis streams (a peer of the speed lab)', async () => stores(server.port));
shadowFeedSuite('redis streams', () => redisFeed(server.port, { host: '127.0.0.1', port: server.port }));

describe('columns of the decision matrix', () => {
  let etcd: EtcdServer;
  beforeAll(async () => void (etcd = await startEtcd({ args: QUICK_ELECTION })));
  afterAll(() => etcd.stop());

  const servers = (storage: 'etcd' | 'redis'): Servers => ({
    ...{ etcd: storage === 'etcd' ? [etcd] : [], redis: storage === 'redis' ? cluster : null, beside: server },
    ...{ spaces: null, disks: [], timers: 'default', pids: () => ({}), stop: async () => undefined },
  });

  it.each(COLUMNS.map((each) => [each.facts.name, each] as const))(
    '%s keeps its promises while nothing is broken, and reads what was written',
    async (_, { needs, open }) => {
      for (const each of [{ host: '127.0.0.1', port: server.port }, await primary()])
        await askRedis(each, (redis) => redis.flushall());
      const column = await open(servers(needs.storage));
      try {
        // These pass both suites in shadow-store.spec and shadow-feed.spec.
        if (needs.storage === 'etcd') {
          expect(column.store).toBeInstanceOf(EtcdShadowStore);
          expect(column.feed).toBeInstanceOf(EtcdShadowFeed);
        } else {
          expect(column.store).toBeInstanceOf(RedisShadowStore);
          expect(column.feed).toBeInstanceOf(RedisFeed);
        }
        const { lost, broken, history } = await judgeCalm(column);
        expect(lost).toEqual([]);
        expect(broken).toEqual([]);
        for (const [shadow, [state]] of history.final)
          await until(`${shadow} is read as it is stored`, async () =>
            isDeepStrictEqual((await column.read(shadowKey(shadow), performance.now() + 10_000)).told, state),
          );
      } finally {
        await column.close();
        await etcd.client.delete().all();
      }
    },
  );
});

describe('redis streams behind sentinels', () => {
  testShadowStore('redis streams that wait for a replica', async () =>
    stores(place(), { wait: { replicas: 1, ms: 1_000 } }),
  );

  shadowFeedSuite('redis streams behind sentinels', async () => redisFeed(place(), await primary()));

  const write = (store: RedisShadowStore, n: number) =>
    store.update(keyOf('failover'), change(n), { deadline: performance.now() + 10_000 });

  it('tells a history of its own after a failover, and readers of the one before to load anew', async () => {
    const { one, close } = stores(place()) as StoreUnderTest & { one: RedisShadowStore };
    const feed = new RedisFeed(place(), one.cache);
    try {
      const start = await feed.head();
      const { position } = await write(one, 1);
      expect((await readTo(feed, start, position.revision)).flatMap(({ records }) => records.map(label))).toEqual([
        'failover@1',
      ]);
      const reading = readTo(feed, position, Number.MAX_SAFE_INTEGER);
      // The sentinels take it for dead after a second.
      const before = await cluster.primary();
      await cluster.servers[before]!.kill9();
      await expect(reading).rejects.toThrow(FeedGap);
      await until('it writes again', () => write(one, 2).catch(() => null));
      const after = await feed.head();
      expect(after.epoch).toBe(position.epoch + 1);
      expect((await one.get(keyOf('failover'), { deadline: performance.now() + 10_000 }))?.position.epoch).toBe(
        after.epoch,
      );
      expect(one.health).toEqual({ ok: true, reason: 'a primary answers' });
      expect(await cluster.primary()).not.toBe(before);
    } finally {
      await close();
    }
  });

  it('says that nothing was written, and that it is not healthy, when no primary answers', async () => {
    const { one, close } = stores(place()) as StoreUnderTest & { one: RedisShadowStore };
    try {
      await until('a primary', () => write(one, 3).catch(() => null));
      for (const each of cluster.servers) await each.kill9();
      await until('it is not healthy', () => !one.health.ok);
      await expect(write(one, 4)).rejects.toMatchObject({ code: 'storageUnavailable' });
      expect(await askRedis(cluster.servers[0]!, (redis) => redis.ping())).toBeNull();
    } finally {
      await close();
    }
  });
});
