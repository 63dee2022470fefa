import fc from 'fast-check';
import { decodeRecord, encodeRecord, type EtcdRecord } from '../codec.js';
import { Lineage } from '../lineage.js';
import { RecordCache } from './record-cache.js';

const record = (version: number, writes: readonly string[] = [], padding = 0): EtcdRecord => {
  const change = { kind: 'update', principal: '-'.repeat(padding), at: 0 } as const;
  return decodeRecord(encodeRecord({ state: { version, metadata: {} }, change, writes: writes.join(',') }));
};

describe('record cache', () => {
  it('keeps the newest revision of a key, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (revisions) => {
        const cache = new RecordCache(10, new Lineage());
        for (const revision of revisions) cache.offer('k', record(revision), revision);
        expect(cache.get('k')).toEqual({ record: record(Math.max(...revisions)), revision: Math.max(...revisions) });
      }),
    );
  });

  it('forgets what was used longest ago, and never holds more than its size', () => {
    const cache = new RecordCache(2, new Lineage());
    cache.offer('a', record(1), 1);
    cache.offer('b', record(1), 2);
    cache.get('a');
    cache.offer('c', record(1), 3);
    expect(cache.size).toBe(2);
    expect([cache.get('a'), cache.get('b'), cache.get('c')].map((entry) => entry?.revision)).toEqual([1, undefined, 3]);
  });

  it('gives the feed the records of own writes as they are, before and after their answer', () => {
    const cache = new RecordCache(2, new Lineage());
    const own = record(4, ['n.1']);
    const value = encodeRecord(own);
    cache.expect('a', own);
    expect(cache.fromFeed('a', Buffer.from(value), 7)).toBe(own);
    cache.unexpect('a');
    expect(cache.fromFeed('a', Buffer.from(value), 7)).not.toBe(own);
    cache.offer('a', own, 7);
    expect(cache.fromFeed('a', Buffer.from(value), 7)).toBe(own);
  });

  it('learns from the feed what is newer, of the shadows it holds, and no others', () => {
    const cache = new RecordCache(2, new Lineage());
    cache.offer('a', record(4), 7);
    expect(cache.fromFeed('a', encodeRecord(record(3)), 6)).toEqual(record(3));
    expect(cache.get('a')?.revision).toBe(7);
    expect(cache.fromFeed('a', encodeRecord(record(5)), 8)).toEqual(record(5));
    expect(cache.get('a')).toEqual({ record: record(5), revision: 8 });
    expect(cache.fromFeed('b', encodeRecord(record(1)), 9)).toEqual(record(1));
    expect(cache.get('b')).toBeUndefined();
    expect(() => cache.fromFeed('a', Buffer.from('{}'), 10)).toThrow('not a shadow record');
  });

  it('knows a value that was read by the ids of its writes, which no other value has', () => {
    const cache = new RecordCache(2, new Lineage());
    const own = record(4, ['n.2', 'n.1']);
    const value = encodeRecord(own);
    cache.offer('a', own, 7);
    expect(cache.sameAs('a', { value, revision: 7 })).toBe(own);
    expect(cache.sameAs('a', { value, revision: 8 })).toBeUndefined();
    expect(cache.sameAs('b', { value, revision: 7 })).toBeUndefined();
    // What a restored backup may have at the same revision: as long, but of another write.
    const other = encodeRecord(record(4, ['m.2', 'n.1']));
    expect(other).toHaveLength(value.length);
    expect(cache.sameAs('a', { value: other, revision: 7 })).toBeUndefined();
    const longer = encodeRecord(record(44, ['n.2', 'n.1']));
    expect(cache.sameAs('a', { value: longer, revision: 7 })).toBeUndefined();
  });

  it('knows no value without writes', () => {
    const cache = new RecordCache(2, new Lineage());
    cache.offer('a', record(4), 7);
    expect(cache.sameAs('a', { value: encodeRecord(record(4)), revision: 7 })).toBeUndefined();
  });

  it('keeps nothing over a change of history, where revisions mean other values', () => {
    const history = new Lineage();
    const cache = new RecordCache(2, history);
    cache.offer('a', record(4), 7);
    history.enter(1);
    expect(cache.get('a')).toBeUndefined();
    cache.offer('a', record(2), 3);
    expect(cache.get('a')?.revision).toBe(3);
    // Another cluster whose own epoch is not beyond ours: a backup restored under a new token.
    history.enter(0);
    expect(cache.get('a')).toBeUndefined();
  });

  it('is bounded in bytes too: what was sent is kept with each record, and may be large', () => {
    const cache = new RecordCache(100, new Lineage());
    for (let i = 0; i < 100; i++) cache.offer(`k${i}`, record(1, [], 20 * 1024 - 400), 1);
    expect(cache.size).toBe(10);
    expect(cache.get('k99')).toBeDefined();
    for (let i = 0; i < 10; i++) cache.forget(`k${99 - i}`);
    for (let i = 0; i < 150; i++) cache.offer(`s${i}`, record(1, [], 1024), 1);
    expect(cache.size).toBe(100);
    cache.clear();
    cache.offer('huge', record(1, [], 1024 * 1024), 1);
    expect(cache.size).toBe(1);
  });

  it('holds nothing when it is configured for no entries', () => {
    const cache = new RecordCache(0, new Lineage());
    cache.offer('a', record(1), 1);
    expect(cache.get('a')).toBeUndefined();
  });
});
