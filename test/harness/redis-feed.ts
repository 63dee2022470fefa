import { Redis } from 'ioredis';
import { encodeRecord } from '../../src/store/etcd/codec.js';
import { Lineage } from '../../src/store/etcd/lineage.js';
import { RecordCache } from '../../src/store/etcd/read/record-cache.js';
import { shadowId, STREAM, type RedisPlace } from '../bench/peers/redis-connection.js';
import { RedisFeed } from '../bench/peers/redis-feed.js';
import { changeOf, keyOf, stateOf, type FeedFixture, type Write } from '../suites/feed-fixture.js';

/**
 * Many changes as one revision, which the peer's own script does with one at a time.
 * KEYS: the counter, the stream. ARGV: the id and the value of each shadow. Returns the revision.
 */
const COMMIT_SCRIPT = `
local next = redis.call('INCR', KEYS[1])
for i = 1, #ARGV, 2 do
  local key = 'umbra:s:' .. ARGV[i]
  local before = redis.call('HGET', key, 'r') or '0'
  redis.call('HSET', key, 'r', next, 'v', ARGV[i + 1])
  redis.call('XADD', KEYS[2], next .. '-' .. (i - 1) / 2, 'k', ARGV[i], 'p', before, 'v', ARGV[i + 1])
end
return next
`;

/** A feed over a real Redis, which is emptied first: the keys of the peer are the same for all. */
export async function redisFeed(place: RedisPlace, primary: { host: string; port: number }): Promise<FeedFixture> {
  const redis = new Redis(primary);
  await redis.flushall();
  const commit = async (...idsAndValues: (string | Buffer)[]): Promise<number> =>
    Number(await redis.eval(COMMIT_SCRIPT, 2, 'umbra:revision', STREAM, ...idsAndValues));
  return {
    feed: new RedisFeed(place, new RecordCache(10_000, new Lineage())),
    commit: (writes: readonly Write[]) =>
      commit(
        ...writes.flatMap((write) => [
          shadowId(write.key),
          encodeRecord({ state: stateOf(write), change: changeOf(write), writes: `w${write.version}` }),
        ]),
      ),
    async compact(revision) {
      await redis.xtrim(STREAM, 'MINID', `${revision}-0`);
    },
    async foreign() {
      await commit(shadowId(keyOf('broken')), '{"version":');
      await commit(shadowId(keyOf('other')), 'null', shadowId(keyOf('empty')), '');
    },
    async close() {
      redis.disconnect();
    },
  };
}
