import fc from 'fast-check';
import { hashOf } from '../../name-hash.js';
import { decodeRecord, encodeRecord, type EtcdRecord } from '../codec.js';
import { Lineage } from '../lineage.js';
import { RecordCache } from './record-cache.js';

const record = (version: number, writes: readonly string[] = [], padding = ''): EtcdRecord => {
  const change = { kind: 'update', principal: padding, at: 0 } as const;
  return decodeRecord(encodeRecord({ state: { version, metadata: {} }, change, writes: writes.join(',') }));
};

const fillWithOthers = (cache: RecordCache): void => {
  for (let i = 0; i < 5; i++) cache.offer(`other${i}`, record(1), 1);
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
    for (let i = 0; i < 100; i++) cache.offer(`k${i}`, record(1, [], '-'.repeat(18 * 1024)), 1);
    expect(cache.size).toBe(10);
    expect(cache.get('k99')).toBeDefined();
    for (let i = 0; i < 10; i++) cache.forget(`k${99 - i}`);
    for (let i = 0; i < 150; i++) cache.offer(`s${i}`, record(1, [], '-'.repeat(1024)), 1);
    expect(cache.size).toBe(100);
    cache.clear();
    cache.offer('huge', record(1, [], '-'.repeat(1024 * 1024)), 1);
    expect(cache.size).toBe(1);
  });

  it('gives back what it was given last or nothing, in whatever order it is used, within its bytes', () => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    const step = fc.record({
      what: fc.constantFrom(
        'offer',
        'offer',
        'own',
        'foreign',
        'feed',
        'get',
        'get',
        'read',
        'forget',
        'clear',
        'history',
      ),
      key: fc.constantFrom(...keys),
      length: fc.oneof(fc.nat(200), fc.nat(3_000), fc.nat(70_000)),
      letter: fc.constantFrom('-', 'é', '€', '😀'),
    });
    const entries = fc.constantFrom(1, 2, 3, 5, 30, 200);
    fc.assert(
      fc.property(entries, fc.array(step, { maxLength: 80 }), (maxEntries, steps) => {
        const history = new Lineage();
        const cache = new RecordCache(maxEntries, history);
        const newest = new Map<string, { record: EtcdRecord; revision: number }>();
        let revision = 1_000_000_000_000;
        for (const { what, key, length, letter } of steps) {
          const before = newest.get(key);
          const made = record(++revision, [`w.${revision}`], letter.repeat(length));
          const value = encodeRecord(made);
          const isChange = ['offer', 'own', 'foreign', 'feed'].includes(what);
          if (isChange) newest.set(key, { record: made, revision });
          if (what === 'offer') cache.offer(key, made, revision);
          if (what === 'foreign') expect(cache.observe(key, value, revision)).toBeUndefined();
          if (what === 'feed') expect(cache.fromFeed(key, value, revision)).toEqual(made);
          if (what === 'own') {
            cache.expect(key, made);
            expect(cache.follows(key)).toBe(true);
            expect(cache.observe(key, value, revision)).toBe(made);
            cache.unexpect(key);
            cache.offer(key, made, revision);
            expect(cache.get(key)?.record).toBe(made);
          }
          if (what === 'read' && before) {
            const raw = { value: encodeRecord(before.record), revision: before.revision };
            expect([undefined, before.record]).toContainEqual(cache.sameAs(key, raw));
          }
          if (what === 'forget') cache.forget(key);
          if (what === 'clear') cache.clear();
          if (what === 'history') history.enter(0);
          if (['forget', 'clear', 'history'].includes(what)) expect(cache.get(key)).toBeUndefined();
          const held = what === 'get' ? cache.get(key) : undefined;
          if (held) expect(held).toEqual(newest.get(key));
          expect(cache.size).toBeLessThanOrEqual(Math.min(maxEntries, keys.length));
          for (const each of keys) if (cache.follows(each)) expect(cache.mayFollow(hashOf(each))).toBe(true);
        }
        for (const key of keys) expect([undefined, newest.get(key)]).toContainEqual(cache.get(key));
        for (const key of keys) cache.forget(key);
        expect(cache.size).toBe(0);
        expect(keys.filter((key) => cache.mayFollow(hashOf(key)))).toEqual([]);
        // Whatever went before, it holds as many as it is configured for.
        for (let i = 0; i < maxEntries; i++) cache.offer(`k${i}`, record(1), 1);
        expect(cache.size).toBe(maxEntries);
      }),
    );
  });

  it('takes no more memory for values than it is configured for, however often they change', () => {
    const cache = new RecordCache(2_000, new Lineage());
    const records = Array.from({ length: 60 }, (_, i) => record(1, [], '-'.repeat(i * 100)));
    for (let i = 0; i < 30_000; i++) cache.offer(`k${(i * 7919) % 5_000}`, records[(i * 31) % records.length]!, i + 1);
    expect(cache.size).toBeGreaterThan(500);
    expect(cache.allocated).toBeGreaterThan(1024 ** 2);
    expect(cache.allocated).toBeLessThanOrEqual(2_000 * 2 * 1024 + 2 * 1024 ** 2);
  });

  it('keeps parsed what is used over and over, beside any number of shadows that are touched once', () => {
    const cache = new RecordCache(1_000, new Lineage());
    const busy = Array.from({ length: 50 }, (_, i) => ({
      key: `busy${i}`,
      record: record(i, [`w.${i}`], '-'.repeat(400)),
    }));
    for (const { key, record } of busy) cache.offer(key, record, 1);
    for (let i = 0; i < 10_000; i++) {
      const { key, record } = busy[i % busy.length]!;
      if (cache.get(key)?.record !== record) throw new Error(`${key} was parsed again after ${i}`);
      cache.offer(`once${i}`, record, 1);
    }
    expect(cache.size).toBe(1_000);
  });

  it('keeps the shadows of devices that report in turn parsed, from their second report on', () => {
    const cache = new RecordCache(100_000, new Lineage());
    const records = Array.from({ length: 6 }, (_, version) => record(version, [`w.${version}`], '-'.repeat(400)));
    for (let round = 0; round < records.length; round++) {
      for (let i = 0; i < 2_000; i++) {
        const known = cache.get(`k${i}`);
        if (round > 0 && known?.revision !== round) throw new Error(`k${i} is not held in round ${round}`);
        if (round > 1 && known?.record !== records[round - 1]) throw new Error(`k${i} was parsed in round ${round}`);
        cache.offer(`k${i}`, records[round]!, round + 1);
      }
    }
    expect(cache.size).toBe(2_000);
  });

  it('expects an own write also while it drops the record for others', () => {
    const cache = new RecordCache(2, new Lineage());
    const own = record(4, ['n.1']);
    const value = encodeRecord(own);
    for (const drop of [() => cache.forget('a'), () => cache.clear(), () => fillWithOthers(cache)]) {
      cache.offer('a', record(3), 6);
      cache.expect('a', own);
      drop();
      expect([cache.follows('a'), cache.mayFollow(hashOf('a'))]).toEqual([true, true]);
      expect(cache.observe('a', value, 7)).toBe(own);
      cache.unexpect('a');
      cache.forget('a');
      expect([cache.follows('a'), cache.mayFollow(hashOf('a'))]).toEqual([false, false]);
    }
  });

  it('holds nothing when it is configured for no entries', () => {
    const cache = new RecordCache(0, new Lineage());
    cache.offer('a', record(1), 1);
    expect(cache.get('a')).toBeUndefined();
  });
});
