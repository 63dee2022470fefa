import type { FeedBatch } from '../../src/store/shadow-feed.js';
import { etcdFeed } from '../harness/etcd-feed.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { memoryFeed } from '../harness/memory-feed.js';
import { keyOf, labelOf, labels, readTo, type Write } from '../suites/feed-fixture.js';
import { shadowFeedSuite } from '../suites/shadow-feed.suite.js';

let server: EtcdServer;

beforeAll(async () => {
  server = await startEtcd();
});
afterAll(() => server.stop());

shadowFeedSuite('memory', async () => memoryFeed());
shadowFeedSuite('etcd', async () => etcdFeed(server));

describe('what only etcd can do to a feed', () => {
  const never = new AbortController().signal;

  it('sends large revisions in fragments, which are put together again', async () => {
    const fixture = etcdFeed(server);
    const start = await fixture.feed.head(never);
    const written: string[] = [];
    let end = 0;
    for (let version = 1; version <= 40; version++) {
      const writes = Array.from({ length: 14 }, (_, n): Write => ({ key: keyOf(`f${n}`), version, padding: 8_000 }));
      end = await fixture.commit(writes);
      written.push(...writes.map(labelOf));
    }
    const batches = await readTo(fixture.feed, start, end);
    expect(labels(batches)).toEqual(written);
    const sizes = new Set(batches.map((batch: FeedBatch) => batch.records.length).filter((size) => size > 0));
    expect([...sizes]).toEqual([14]);
    await fixture.close();
  });

  it('ends a list whose revision is compacted before the last page, and can begin again', async () => {
    const fixture = etcdFeed(server);
    for (let i = 0; i < 500; i += 100) {
      await fixture.commit(Array.from({ length: 100 }, (_, n) => ({ key: keyOf(`c${i + n}`), version: 1 })));
    }
    const { records } = await fixture.feed.base({ tenant: 't1' }, never);
    await fixture.compact(await fixture.commit([{ key: keyOf('c0'), version: 2 }]));
    const read = async (from: typeof records): Promise<number> => {
      let count = 0;
      for await (const record of from) count += record.key.tenant === 't1' ? 1 : 0;
      return count;
    };
    await expect(read(records)).rejects.toMatchObject({ name: 'FeedGap', reason: 'compacted' });
    expect(await read((await fixture.feed.base({ tenant: 't1' }, never)).records)).toBe(500);
    await fixture.close();
  });
});
