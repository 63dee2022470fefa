import { startRedis, type RedisServer } from '../harness/redis.js';
import { TEST_QUEUE } from '../harness/etcd-store.js';
import { RedisShadowStore } from '../bench/peers/redis-store.js';
import { testShadowStore } from '../suites/shadow-store.suite.js';

/** The peer of the speed lab keeps the same promises as the store that it is measured against, or the race is unfair. */
let server: RedisServer;
beforeAll(async () => void (server = await startRedis()));
afterAll(() => server.stop());

testShadowStore('redis streams (a peer of the speed lab)', async () => {
  const config = { maxQueuedPerShadow: TEST_QUEUE, cacheEntries: 10_000 };
  const one = new RedisShadowStore(server.port, config);
  const other = new RedisShadowStore(server.port, config);
  return {
    one,
    other,
    maxQueuedPerShadow: TEST_QUEUE,
    close: async () => void (await Promise.all([one.close(), other.close()])),
  };
});
