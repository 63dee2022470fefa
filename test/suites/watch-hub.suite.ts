import fc from 'fast-check';
import type { WatchConfig } from '../../src/config/config.js';
import type { FeedBatch, GapReason } from '../../src/store/shadow-feed.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import type { Cursor, ShadowEvent, SubscribeOptions, Subscription } from '../../src/watch/subscription.js';
import { ShadowWatchHub } from '../../src/watch/watch-hub.js';
import { keyOf, label, labelOf, readTo, type FeedFixture, type Write } from './feed-fixture.js';

const CONFIG: WatchConfig = {
  historyRecords: 50,
  maxQueued: 20,
  maxSubscriptions: 2_000,
  bookmarkMs: 60_000,
  maxBytes: 256 * 1024 ** 2,
};
const ALL = { tenant: 't1' };

/** Reads events of a kind (bookmarks are skipped unless asked for) until there are `count`, then leaves. */
export async function take(
  subscription: Subscription,
  count: number,
  kinds: readonly ShadowEvent['kind'][] = ['change', 'initial', 'gap'],
): Promise<ShadowEvent[]> {
  const events: ShadowEvent[] = [];
  if (count === 0) return events;
  for await (const event of subscription) {
    if (kinds.includes(event.kind)) events.push(event);
    if (events.length === count) break;
  }
  return events;
}

const text = (event: ShadowEvent): string => ('record' in event ? label(event.record) : event.kind);
const texts = (events: readonly ShadowEvent[]): string[] => events.map(text);

/** The promises of the WatchHub, over every feed. */
export function watchHubSuite(name: string, create: () => Promise<FeedFixture>): void {
  describe(`WatchHub: ${name}`, () => {
    let fixture: FeedFixture;
    let hub: ShadowWatchHub;

    async function open(config: Partial<WatchConfig> = {}): Promise<ShadowWatchHub> {
      await hub?.close();
      hub = new ShadowWatchHub(fixture.feed, { ...CONFIG, ...config }, SILENT_LOGGER, { stuckMs: 300 });
      await hub.start();
      return hub;
    }

    /** Until this hub has applied the revision. */
    const applied = (revision: number): Promise<void> =>
      new Promise((resolve) => {
        const stop = hub.follow({
          batch({ position }: FeedBatch) {
            if (position.revision < revision) return;
            stop();
            resolve();
          },
          gap() {},
        });
        const probe = hub.subscribe({ filter: { tenant: 'none' }, from: 'now' });
        void take(probe, 1, ['bookmark']).then(([event]) => {
          if ((event?.cursor?.revision ?? 0) >= revision) {
            stop();
            resolve();
          }
        });
      });

    async function commitEach(count: number, perRevision = 1, from = 1): Promise<string[]> {
      const written: string[] = [];
      let last = 0;
      for (let i = 0; i < count; i++) {
        const writes = Array.from({ length: perRevision }, (_, n): Write => ({
          key: keyOf(`d${n}`),
          version: from + i,
        }));
        last = await fixture.commit(writes);
        written.push(...writes.map(labelOf));
      }
      await applied(last);
      return written;
    }

    async function cursorNow(): Promise<Cursor> {
      const [event] = await take(hub.subscribe({ filter: ALL, from: 'now' }), 1, ['bookmark']);
      return event!.cursor!;
    }

    const read = async (options: SubscribeOptions, count: number) => texts(await take(hub.subscribe(options), count));

    beforeEach(async () => {
      fixture = await create();
      await open();
    });
    afterEach(async () => {
      await hub.close();
      await fixture.close();
      expect(hub.counts).toEqual({ subscriptions: 0, places: 0, listeners: 0 });
    });

    it('delivers to a reader what changes from now on, after a bookmark', async () => {
      await fixture.commit([{ key: keyOf('d0'), version: 99 }]);
      await open();
      const reader = hub.subscribe({ filter: ALL, from: 'now' });
      const written = await commitEach(5);
      const events = await take(reader, 6, ['bookmark', 'change']);
      expect(texts(events)).toEqual(['bookmark', ...written]);
      expect(await reader.ended).toBe('closed');
    });

    it.each([
      ['a tenant', { tenant: 't1' }, ['a@1', 'a.door@1', 'b.door@1', 'end@1']],
      ['a thing', { tenant: 't1', thing: 'a' }, ['a@1', 'a.door@1']],
      ['the classic shadow', { tenant: 't1', thing: 'a', name: null }, ['a@1']],
      ['a named shadow', { tenant: 't1', thing: 'a', name: 'door' }, ['a.door@1']],
      ['a name of all things', { tenant: 't1', name: 'door' }, ['a.door@1', 'b.door@1']],
    ])('filters by %s, live and on resuming alike', async (_, filter, expected) => {
      const cursor = await cursorNow();
      const live = hub.subscribe({ filter, from: 'now' });
      for (const key of [keyOf('a'), keyOf('a', 'door'), keyOf('a', 'door', 't2'), keyOf('b', 'door'), keyOf('end')]) {
        await fixture.commit([{ key, version: 1 }]);
      }
      expect(texts(await take(live, expected.length))).toEqual(expected);
      expect(await read({ filter, from: cursor }, expected.length)).toEqual(expected);
    });

    it('gives the present state, a bookmark, then the changes after it', async () => {
      await fixture.commit([
        { key: keyOf('a'), version: 1 },
        { key: keyOf('b'), version: 1 },
        { key: keyOf('gone'), version: 1, deleted: true },
      ]);
      const reader = hub.subscribe({ filter: ALL, from: 'initial', maxQueued: 1 });
      const events: ShadowEvent[] = [];
      for await (const event of reader) {
        events.push(event);
        if (event.kind === 'bookmark') await fixture.commit([{ key: keyOf('a'), version: 2 }]);
        if (event.kind === 'change') break;
      }
      expect(events.map((event) => event.kind)).toEqual(['initial', 'initial', 'bookmark', 'change']);
      expect(texts(events.slice(0, 2)).sort()).toEqual(['a@1', 'b@1']);
      expect(text(events[3]!)).toBe('a@2');
    });

    it('resumes from every cursor of a reader, in the middle of a revision too', async () => {
      const reader = hub.subscribe({ filter: ALL, from: 'now' });
      const written = await commitEach(4, 4);
      const events = await take(reader, 16);
      expect(events.filter((event) => event.cursor?.seen === null)).toHaveLength(4);
      for (const [i, event] of events.entries()) {
        if (i === 15) break;
        expect(await read({ filter: ALL, from: event.cursor! }, 15 - i)).toEqual(written.slice(i + 1));
      }
    });

    it('resumes from the store what the ring has forgotten, then goes on live', async () => {
      await open({ historyRecords: 10 });
      const early = hub.subscribe({ filter: ALL, from: 'now' });
      const first = commitEach(1, 5);
      const [, second] = await take(early, 2);
      const written = [...(await first), ...(await commitEach(30, 5, 2))];
      const late = hub.subscribe({ filter: ALL, from: second!.cursor!, maxQueued: 7 });
      const events: ShadowEvent[] = [];
      for await (const event of late) {
        if (event.kind === 'change') events.push(event);
        if (events.length === 100) written.push(...(await commitEach(2, 5, 100)));
        if (events.length === written.length - 2) break;
      }
      expect(texts(events)).toEqual(written.slice(2));
    });

    it('loses and repeats nothing when readers come and go while changes keep coming', async () => {
      await open({ historyRecords: 10 });
      let cursor = await cursorNow();
      const commits = Array.from({ length: 150 }, (_, i) =>
        Array.from({ length: 1 + (i % 3) }, (_, n): Write => ({ key: keyOf(`d${n}`), version: i + 1 })),
      );
      const written = commits.flat().map(labelOf);
      const writer = (async () => {
        for (const [i, writes] of commits.entries()) {
          await fixture.commit(writes);
          if (i % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      const seen: string[] = [];
      while (seen.length < written.length) {
        const count = Math.min(1 + (seen.length % 37), written.length - seen.length);
        // A reader that ends too slow comes back like any other.
        const events = await take(hub.subscribe({ filter: ALL, from: cursor, maxQueued: 8 }), count);
        seen.push(...texts(events));
        cursor = events.at(-1)?.cursor ?? cursor;
      }
      await writer;
      expect(seen).toEqual(written);
    });

    it('takes no store reader for ever when nothing changed after the cursor', async () => {
      await commitEach(1);
      const cursor = await cursorNow();
      // A hub that starts later holds nothing of what was before.
      await fixture.commit([]);
      await open({ bookmarkMs: 20 });
      const readers = Array.from({ length: 20 }, () => hub.subscribe({ filter: ALL, from: { ...cursor, seen: null } }));
      for (const reader of readers) expect(texts(await take(reader, 1, ['bookmark']))).toEqual(['bookmark']);
    });

    it('ends a reader that is too slow, alone, and lets it resume', async () => {
      const slow = hub.subscribe({ filter: ALL, from: 'now', maxQueued: 5 });
      const quick = hub.subscribe({ filter: ALL, from: 'now' });
      const [bookmark] = await take(hub.subscribe({ filter: ALL, from: 'now' }), 1, ['bookmark']);
      const reading = take(quick, 12);
      const written = await commitEach(12);
      expect(texts(await reading)).toEqual(written);
      expect(await slow.ended).toBe('too-slow');
      expect(texts(await take(slow, 1))).toEqual([]);
      expect(await read({ filter: ALL, from: bookmark!.cursor! }, 12)).toEqual(written);
    });

    it('ends a reader that takes nothing while it catches up', async () => {
      const cursor = await cursorNow();
      await commitEach(12);
      const stuck = hub.subscribe({ filter: ALL, from: cursor, maxQueued: 5 });
      expect(await stuck.ended).toBe('too-slow');
    });

    it('sends bookmarks with its position to idle readers', async () => {
      await open({ bookmarkMs: 20 });
      const reader = hub.subscribe({ filter: { tenant: 't1', thing: 'quiet' }, from: 'now' });
      const [first] = await take(hub.subscribe({ filter: ALL, from: 'now' }), 1, ['bookmark']);
      const revision = await fixture.commit([{ key: keyOf('loud'), version: 1 }]);
      for await (const event of reader) {
        expect(event.kind).toBe('bookmark');
        expect(event.cursor!.revision).toBeGreaterThanOrEqual(first!.cursor!.revision);
        if (event.cursor!.revision >= revision) break;
      }
    });

    it.each([
      ['of another cluster', { cluster: 'elsewhere' }],
      ['of another epoch', { epoch: 5 }],
      ['that the store has not reached', { revision: 1_000_000_000 }],
    ])('ends a reader with a cursor %s', async (_, change) => {
      const reader = hub.subscribe({ filter: ALL, from: { ...(await cursorNow()), ...change } });
      expect(await reader.ended).toBe('epoch-changed');
    });

    it('ends, or tells, a reader whose cursor was compacted', async () => {
      const cursor = await cursorNow();
      await commitEach(10);
      const head = await fixture.feed.head(new AbortController().signal);
      await fixture.compact(head.revision);
      await open();
      const ending = hub.subscribe({ filter: ALL, from: cursor });
      const told = hub.subscribe({ filter: ALL, from: cursor, onGap: 'notify' });
      expect(await ending.ended).toBe('compacted');
      const iterator = told[Symbol.asyncIterator]();
      expect((await iterator.next()).value).toMatchObject({ kind: 'gap', reason: 'compacted', cursor: { seen: null } });
      await fixture.commit([{ key: keyOf('a'), version: 77 }]);
      expect(text((await iterator.next()).value as ShadowEvent)).toBe('a@77');
      told.close();
    });

    it('tells listeners every batch, and survives what they throw', async () => {
      const seen: string[] = [];
      const gaps: GapReason[] = [];
      const stopBad = hub.follow({
        batch() {
          throw new Error('bad listener');
        },
        gap() {},
      });
      const stop = hub.follow({ batch: (b) => seen.push(...b.records.map(label)), gap: (reason) => gaps.push(reason) });
      const written = await commitEach(3, 2);
      stop();
      await commitEach(1);
      expect(seen).toEqual(written);
      expect(gaps).toEqual([]);
      stopBad();
    });

    it('serves 1,000 readers of things and refuses one above its limit', async () => {
      await open({ maxSubscriptions: 1_001 });
      const readers = Array.from({ length: 1_000 }, (_, i) =>
        hub.subscribe({ filter: { tenant: 't1', thing: `n${i}` }, from: 'now' }),
      );
      const wide = hub.subscribe({ filter: ALL, from: 'now', maxQueued: 1_000 });
      expect(() => hub.subscribe({ filter: ALL, from: 'now' })).toThrow('1001 streams at most');
      for (let i = 0; i < 1_000; i += 100) {
        await fixture.commit(Array.from({ length: 100 }, (_, n) => ({ key: keyOf(`n${i + n}`), version: 1 })));
      }
      const all = await Promise.all(readers.map((reader) => take(reader, 1)));
      expect(all.flatMap(texts)).toEqual(Array.from({ length: 1_000 }, (_, i) => `n${i}@1`));
      expect(await take(wide, 1_000)).toHaveLength(1_000);
      expect(hub.counts).toMatchObject({ subscriptions: 0, places: 0 });
    });

    it('ends everybody with draining when it closes, and takes nobody afterwards', async () => {
      const cursor = await cursorNow();
      const readers = (['now', 'initial', cursor] as const).map((from) => hub.subscribe({ filter: ALL, from }));
      await hub.close();
      expect(await Promise.all(readers.map((reader) => reader.ended))).toEqual(['draining', 'draining', 'draining']);
      expect(() => hub.subscribe({ filter: ALL, from: 'now' })).toThrow('shutting down');
      expect(hub.health.ok).toBe(false);
    });

    it('property: whatever cursor a reader comes back with, it has had everything exactly once', async () => {
      await open({ historyRecords: 15 });
      const first = hub.subscribe({ filter: ALL, from: 'now', maxQueued: 1_000 });
      const start = await cursorNow();
      const written: string[] = [];
      for (let i = 1; i <= 20; i++) written.push(...(await commitEach(1, 1 + (i % 4), i)));
      const cursors = [start, ...(await take(first, written.length)).map((event) => event.cursor!)];
      const total = written.length;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat({ max: total }), { maxLength: 3 }),
          fc.integer({ min: 1, max: 6 }),
          async (cuts, maxQueued) => {
            const stops = [...cuts, total].sort((a, b) => a - b);
            const seen: string[] = [];
            for (const stop of stops) {
              const from = cursors[seen.length]!;
              seen.push(...(await read({ filter: ALL, from, maxQueued }, stop - seen.length)));
            }
            expect(seen).toEqual(written);
          },
        ),
        { numRuns: 15 },
      );
    });

    it('has the history that the store has', async () => {
      const start = await fixture.feed.head(new AbortController().signal);
      const seen: string[] = [];
      hub.follow({ batch: (b) => seen.push(...b.records.map(label)), gap() {} });
      const written = await commitEach(10, 3);
      const end = await fixture.feed.head(new AbortController().signal);
      const stored = await readTo(fixture.feed, start, end.revision);
      expect(seen).toEqual(written);
      expect(stored.flatMap((b) => b.records.map(label))).toEqual(written);
    });
  });
}
