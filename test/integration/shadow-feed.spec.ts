import type { FeedBatch } from '../../src/store/shadow-feed.js';
import { etcdFeed } from '../harness/etcd-feed.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { memoryFeed } from '../harness/memory-feed.js';
import { presenceRecord } from '../harness/presence-record.js';
import { presencePrefix } from '../../src/store/etcd/keys.js';
import { recordKey, writeRecord } from '../../src/store/presence-record.js';
import { PRESENCE, PresenceUpdate } from '../../src/store/presence-update.js';
import type { BaseProgress, ShadowFilter } from '../../src/store/shadow-feed.js';
import type { ShadowRecord } from '../../src/store/shadow-store.js';
import { keyOf, label, labelOf, labels, readTo, type Write } from '../suites/feed-fixture.js';
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

  it('brings records of presence in one order with shadows, and in the present state only where they are asked for', async () => {
    const prefix = '/presence-in-feed/';
    const fixture = etcdFeed(server, { prefix });
    const start = await fixture.feed.head(never);
    const put = (clientId: string, session: string, tenant = 't1') =>
      server.client
        .put(presencePrefix(prefix) + recordKey({ tenant, clientId }))
        .value(writeRecord(presenceRecord(session)));
    const told = (record: ShadowRecord): string =>
      record instanceof PresenceUpdate ? `${record.key.thing} ${record.presence.session}` : label(record);
    await put('lamp', 'one');
    await fixture.commit([{ key: keyOf('lamp'), version: 1 }]);
    await put('not/a/thing', 'none');
    await put('lamp', 'two');
    await put('a:b', 'three');
    await put('lamp', 'foreign', 't2');
    await server.client.delete().key(presencePrefix(prefix) + recordKey({ tenant: 't1', clientId: 'not/a/thing' }));
    const end = await fixture.commit([{ key: keyOf('lamp'), version: 2 }]);
    const batches = await readTo(fixture.feed, start, end);
    const all = ['lamp one', 'lamp@1', 'lamp two', 'a:b three', 'lamp foreign', 'lamp@2'];
    expect(batches.flatMap(({ records }) => records.map(told))).toEqual(all);

    const present = async (filter: Omit<ShadowFilter, 'tenant'>, resume?: BaseProgress): Promise<string[]> => {
      const { records } = await fixture.feed.base({ tenant: 't1', ...filter }, never, resume);
      const found: string[] = [];
      for await (const record of records) found.push(told(record));
      return found;
    };
    expect(await present({})).toEqual(['lamp@2']);
    expect(await present({ presence: 'too' })).toEqual(['lamp@2', 'a:b three', 'lamp two']);
    expect(await present({ presence: 'alone', thing: 'a:b' })).toEqual(['a:b three']);
    const resume = { position: { ...start, revision: end }, after: { ...keyOf('a:b'), name: PRESENCE } };
    expect(await present({ presence: 'too' }, resume)).toEqual(['lamp two']);
    await fixture.close();
  });

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
