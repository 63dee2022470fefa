import type { WatchConfig } from '../../src/config/config.js';
import type { Position } from '../../src/store/position.js';
import type { FeedBatch, ShadowFeed } from '../../src/store/shadow-feed.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import type { ShadowEvent } from '../../src/watch/subscription.js';
import { ShadowWatchHub } from '../../src/watch/watch-hub.js';
import { etcdFeed, type EtcdFeedFixture } from '../harness/etcd-feed.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { until } from '../harness/until.js';
import { keyOf, label } from '../suites/feed-fixture.js';

const CONFIG: WatchConfig = {
  historyRecords: 10_000,
  maxQueued: 5_000,
  maxSubscriptions: 5_000,
  bookmarkMs: 60_000,
  maxBytes: 256 * 1024 ** 2,
};
const READERS = 1_000;
const REVISIONS = 2_000;

/** Counts the streams that a hub opens at the store. */
function counting(feed: ShadowFeed): { readonly feed: ShadowFeed; readonly opened: () => number } {
  let opened = 0;
  return {
    opened: () => opened,
    feed: {
      hasPresence: feed.hasPresence,
      head: (signal) => feed.head(signal),
      base: (filter, signal, resume) => feed.base(filter, signal, resume),
      after: (position: Position, signal: AbortSignal): AsyncIterable<FeedBatch> => {
        opened++;
        return feed.after(position, signal);
      },
      get health() {
        return feed.health;
      },
    },
  };
}

/** Reads on in the background; `seen` has the labels of all changes. */
function reading(events: AsyncIterable<ShadowEvent>): string[] {
  const seen: string[] = [];
  void (async () => {
    for await (const event of events) if (event.kind === 'change') seen.push(label(event.record));
  })();
  return seen;
}

describe('1,000 readers that resume after a restart', () => {
  let server: EtcdServer;
  let fixture: EtcdFeedFixture;
  let hub: ShadowWatchHub;
  /** Position before each revision that was written; the last one is the present. */
  const positions: Position[] = [];
  const thing = (n: number): string => `t${n % READERS}`;

  beforeAll(async () => {
    server = await startEtcd();
    fixture = etcdFeed(server);
    positions.push(await fixture.feed.head(new AbortController().signal));
    for (let n = 0; n < REVISIONS; n++) {
      const revision = await fixture.commit([{ key: keyOf(thing(n)), version: n }]);
      positions.push({ ...positions[0]!, revision });
    }
  });
  afterEach(() => hub.close());
  afterAll(async () => {
    await fixture.close();
    await server.stop();
  });

  async function open(limits: ConstructorParameters<typeof ShadowWatchHub>[3] = {}, config = CONFIG) {
    const { feed, opened } = counting(fixture.feed);
    hub = new ShadowWatchHub(feed, config, SILENT_LOGGER, limits);
    await hub.start();
    return opened;
  }

  const cursor = (n: number) => ({ ...positions[n]!, seen: null });

  it('share their way through the history, each with exactly its own changes', async () => {
    const opened = await open();
    const starts = Array.from({ length: READERS }, (_, i) => (i * 7919) % REVISIONS);
    const seen = starts.map((start, i) =>
      reading(hub.subscribe({ filter: { tenant: 't1', thing: thing(i) }, from: cursor(start) })),
    );
    await until('all are live', () => hub.counts.places === READERS, 60_000);
    const expected = starts.map((start, i) =>
      [i, i + READERS].filter((n) => n >= start).map((n) => `${thing(i)}@${n}`),
    );
    await until('all have what they missed', () => seen.every((own, i) => own.length >= expected[i]!.length), 20_000);
    expect(seen).toEqual(expected);
    expect(opened() - 1).toBeLessThanOrEqual(16);
    await fixture.commit([{ key: keyOf(thing(5)), version: 999_999 }]);
    await until('a live change arrives', () => seen[5]!.at(-1) === `${thing(5)}@999999`, 20_000);
  });

  it('are not held up by readers of everything that take nothing or little', async () => {
    const opened = await open({ stuckMs: 5_000 });
    const silent = Array.from({ length: 20 }, () => hub.subscribe({ filter: { tenant: 't1' }, from: cursor(0) }));
    const slow = hub.subscribe({ filter: { tenant: 't1' }, from: cursor(0) });
    const slowSeen: string[] = [];
    void (async () => {
      for await (const event of slow) {
        if (event.kind === 'change') slowSeen.push(label(event.record));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    const seen = Array.from({ length: 500 }, (_, i) =>
      reading(hub.subscribe({ filter: { tenant: 't1', thing: thing(i) }, from: cursor(0) })),
    );
    await until('the quick readers are live', () => hub.counts.places >= 500, 60_000);
    await until('they have what they missed', () => seen.every((own) => own.length >= 2), 20_000);
    expect(seen.slice(0, 500)).toEqual(
      Array.from({ length: 500 }, (_, i) => {
        const own = [`${thing(i)}@${i}`, `${thing(i)}@${i + READERS}`];
        return i === 5 ? [...own, `${thing(i)}@999999`] : own;
      }),
    );
    for (const each of silent) expect(await each.ended).toBe('too-slow');
    await until('the slow reader has everything', () => slowSeen.length > REVISIONS, 60_000);
    expect(slowSeen.slice(0, REVISIONS)).toEqual(Array.from({ length: REVISIONS }, (_, n) => `${thing(n)}@${n}`));
    expect(opened() - 1).toBeLessThanOrEqual(100);
  });

  it('resume after a compaction of most of what they missed: the rest is exact, the others learn that it is gone', async () => {
    const kept = 1_500;
    await fixture.compact(positions[kept]!.revision + 1);
    const opened = await open();
    const starts = Array.from({ length: READERS }, (_, i) => (i * 7919) % REVISIONS);
    const subscriptions = starts.map((start) => hub.subscribe({ filter: { tenant: 't1' }, from: cursor(start) }));
    const seen = subscriptions.map(reading);
    const ends = subscriptions.map(({ ended }, i) => (starts[i]! < kept ? ended : null));
    expect(new Set(await Promise.all(ends.filter((end) => end !== null)))).toEqual(new Set(['compacted']));
    const rest = starts.map((start, i) => ({ start, own: seen[i]! })).filter(({ start }) => start >= kept);
    await until('the rest is delivered', () => rest.every(({ start, own }) => own.length >= REVISIONS - start), 60_000);
    for (const { start, own } of rest) {
      const expected = Array.from({ length: REVISIONS - start }, (_, n) => `${thing(start + n)}@${start + n}`);
      expect(own.slice(0, REVISIONS - start)).toEqual(expected);
    }
    expect(opened() - 1).toBeLessThanOrEqual(100);
  });
});
