import { setTimeout as pause } from 'node:timers/promises';
import { jest } from '@jest/globals';
import type { WatchConfig } from '../config/config.js';
import { presenceRecord } from '../../test/harness/presence-record.js';
import { ServiceError } from '../errors/service-error.js';
import type { Position } from '../store/position.js';
import { FeedGap, type FeedBatch, type FeedRecord, type GapReason, type ShadowFeed } from '../store/shadow-feed.js';
import { writeRecord } from '../store/presence-record.js';
import { PRESENCE, PresenceUpdate } from '../store/presence-update.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { FeedMetrics } from '../telemetry/feed-metrics.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import type { Cursor } from './subscription.js';
import { SubscriptionQueue } from './subscription-queue.js';
import { ShadowWatchHub } from './watch-hub.js';

const CONFIG: WatchConfig = {
  historyRecords: 10,
  maxQueued: 10,
  maxSubscriptions: 10,
  bookmarkMs: 60_000,
  maxBytes: 256 * 1024 ** 2,
};
const ALL = { tenant: 't' };

function record(position: Position): ShadowRecord {
  return {
    key: { tenant: 't', thing: 'a', name: null },
    state: { version: position.revision, metadata: {} },
    change: { kind: 'update', principal: 'p', at: 0 },
    position,
  };
}

/** A feed whose faults a test plays by hand. */
class ScriptedFeed implements ShadowFeed {
  readonly hasPresence = true;
  readonly health = { ok: true, reason: 'following the script' };
  position: Position = { cluster: 'c', epoch: 0, revision: 1 };
  failingHeads = 0;
  heads = 0;
  readonly starts: number[] = [];
  #steps: (FeedBatch | Error)[] = [];
  #wake: (() => void) | null = null;

  async head(): Promise<Position> {
    this.heads++;
    if (this.failingHeads-- > 0) throw new ServiceError('storageUnavailable');
    return this.position;
  }

  base: ShadowFeed['base'] = () => Promise.reject(new ServiceError('storageUnavailable'));

  async *after(position: Position, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    this.starts.push(position.revision);
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      const step = this.#steps.shift();
      if (step instanceof Error) throw step;
      if (step) yield step;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  change(): FeedBatch {
    this.position = { ...this.position, revision: this.position.revision + 1 };
    const batch = { position: this.position, records: [record(this.position)] };
    this.play(batch);
    return batch;
  }

  play(step: FeedBatch | Error): void {
    this.#steps.push(step);
    this.#wake?.();
  }
}

describe('ShadowWatchHub over faults of its feed', () => {
  let feed: ScriptedFeed;
  let hub: ShadowWatchHub;
  beforeEach(() => {
    feed = new ScriptedFeed();
    hub = new ShadowWatchHub(feed, CONFIG, SILENT_LOGGER);
  });
  afterEach(() => hub.close());

  it('says what it waits for until the store answers', async () => {
    expect(hub.health).toEqual({ ok: false, reason: 'the hub has not been started' });
    feed.failingHeads = 1;
    const started = hub.start();
    expect(hub.health).toEqual({ ok: false, reason: 'waiting for the first answer of the store' });
    await started;
    expect(feed.heads).toBe(2);
    expect(hub.health).toEqual(feed.health);
  });

  it('tells a reader that came before the store answered where it stands', async () => {
    feed.failingHeads = 1;
    const started = hub.start();
    const reader = hub.subscribe({ filter: ALL, from: 'now' })[Symbol.asyncIterator]();
    await started;
    const { position } = feed;
    feed.change();
    expect((await reader.next()).value).toEqual({ kind: 'bookmark', cursor: { ...position, seen: null } });
    expect((await reader.next()).value).toMatchObject({ kind: 'change' });
  });

  it('measures how long clients and streams take to be told of a revision, and of streams only where there are some', async () => {
    await hub.close();
    const metrics = new FeedMetrics();
    hub = new ShadowWatchHub(feed, CONFIG, SILENT_LOGGER, {}, metrics);
    await hub.start();
    let told: () => void = () => undefined;
    hub.follow({ batch: () => told(), gap: () => undefined });
    const { publish, deliver } = metrics.stageOf;
    await new Promise<void>((resolve) => {
      told = resolve;
      feed.change();
    });
    const reader = hub.subscribe({ filter: ALL, from: 'now' });
    feed.change();
    for await (const event of reader) if (event.kind === 'change') break;
    expect([publish, deliver].map((cell) => metrics.stages.count(cell))).toEqual([2, 1]);
  });

  it('takes an idle reader along when the store moves although no shadow changes', async () => {
    await hub.close();
    hub = new ShadowWatchHub(feed, { ...CONFIG, bookmarkMs: 5 }, SILENT_LOGGER);
    await hub.start();
    const reader = hub.subscribe({ filter: { tenant: 't', thing: 'quiet' }, from: 'now' });
    feed.play({ position: { ...feed.position, revision: 300 }, records: [] });
    for await (const event of reader) if (event.cursor?.revision === 300) break;
    expect(await reader.ended).toBe('closed');
  });

  it('leaves out a value that turns out to be no record, live and from the ring, and looks at it for a reader alone', async () => {
    await hub.start();
    const start = { ...feed.position, seen: null };
    const looks = jest.fn(() => false);
    const damaged = (position: Position, thing: string): FeedRecord =>
      Object.defineProperties({ key: { tenant: 't', thing, name: null }, position } as FeedRecord, {
        isReadable: { get: looks },
      });
    const live = hub.subscribe({ filter: { tenant: 't', thing: 'a' }, from: 'now' })[Symbol.asyncIterator]();
    await live.next();
    const position = { ...feed.position, revision: 5 };
    feed.play({ position, records: [damaged(position, 'other'), damaged(position, 'a'), record(position)] });
    expect((await live.next()).value).toMatchObject({ kind: 'change', cursor: { revision: 5, seen: null } });
    expect(looks).toHaveBeenCalledTimes(1);
    const late = hub.subscribe({ filter: { tenant: 't', thing: 'a' }, from: start })[Symbol.asyncIterator]();
    expect((await late.next()).value).toMatchObject({ kind: 'change', cursor: { revision: 5, seen: null } });
    expect(looks).toHaveBeenCalledTimes(2);
  });

  it('brings presence to readers that ask for it alone, in one order with changes, live and from the ring', async () => {
    await hub.start();
    const start = { ...feed.position, seen: null };
    const told: number[] = [];
    hub.follow({ batch: ({ records }) => told.push(records.length), gap: () => undefined });
    const read = async (presence: 'too' | 'alone' | undefined, from: 'now' | Cursor, count: number) => {
      const seen: unknown[] = [];
      for await (const event of hub.subscribe({ filter: { tenant: 't', thing: 'a', presence }, from })) {
        if (event.kind === 'change') seen.push([event.record.key.name, event.cursor.revision, event.cursor.seen]);
        if (seen.length === count) break;
      }
      return seen;
    };
    const live = [read('too', 'now', 4), read('alone', 'now', 2), read(undefined, 'now', 2)];
    const update = (thing: string, position: Position): PresenceUpdate =>
      new PresenceUpdate('t', thing, position, Buffer.from(writeRecord(presenceRecord('s'))));
    feed.change();
    const position = { ...feed.position, revision: feed.position.revision + 1 };
    feed.position = position;
    feed.play({ position, records: [update('a', position), update('other', position), update('a', position)] });
    feed.change();
    const expected = [
      [
        [null, 2, null],
        [PRESENCE, 3, 1],
        [PRESENCE, 3, null],
        [null, 4, null],
      ],
      [
        [PRESENCE, 3, 1],
        [PRESENCE, 3, null],
      ],
      [
        [null, 2, null],
        [null, 4, null],
      ],
    ];
    expect(await Promise.all(live)).toEqual(expected);
    expect(await Promise.all([read('too', start, 4), read('alone', start, 2), read(undefined, start, 2)])).toEqual(
      expected,
    );
    const between = { ...position, seen: 1 };
    expect(await read('too', between, 2)).toEqual([
      [PRESENCE, 3, null],
      [null, 4, null],
    ]);
    expect(told).toEqual([1, 0, 1]);
  });

  it('does not let the reader of a long list keep others from the store', async () => {
    await hub.close();
    const starts: (string | undefined)[] = [];
    feed.base = async (_filter, signal, resume) => {
      const { position } = feed;
      const from = Number(resume?.after.thing ?? 0);
      starts.push(resume?.after.thing);
      const records = async function* (): AsyncGenerator<ShadowRecord> {
        for (let n = from + 1; !signal.aborted; n++) {
          yield { ...record(position), key: { tenant: 't', thing: String(n), name: null } };
          await pause(1);
        }
      };
      return { position, records: records() };
    };
    hub = new ShadowWatchHub(feed, CONFIG, SILENT_LOGGER, { storeReaders: 1 });
    await hub.start();
    const things: number[] = [];
    const endless = hub.subscribe({ filter: ALL, from: 'initial' });
    const reading = (async () => {
      for await (const event of endless) if (event.kind === 'initial') things.push(Number(event.record.key.thing));
    })();
    const other = hub.subscribe({ filter: ALL, from: 'initial' });
    const first = other[Symbol.asyncIterator]().next();
    expect(await Promise.race([first, pause(5_000, undefined, { ref: false })])).toMatchObject({
      value: { kind: 'initial' },
    });
    other.close();
    const before = things.length;
    while (things.length < before + 5) await pause(5);
    endless.close();
    await reading;
    // It continues where it was.
    expect(things).toEqual(things.map((_, i) => i + 1));
    expect(starts).toEqual([undefined, undefined, String(before)]);
  });

  it('looks for silent readers once for all that wait for memory', async () => {
    await hub.close();
    const limits = { historyRecords: 1_000, maxQueued: 1_000, maxSubscriptions: 100, maxBytes: 800_000 };
    hub = new ShadowWatchHub(feed, { ...CONFIG, ...limits }, SILENT_LOGGER);
    await hub.start();
    const start = { ...feed.position, seen: null };
    const holder = hub.subscribe({ filter: ALL, from: 'now' })[Symbol.asyncIterator]();
    await holder.next();
    const position = { ...feed.position, revision: 2 };
    feed.play({ position, records: Array.from({ length: 200 }, () => ({ ...record(position), bytes: 1_000 })) });
    await holder.next();
    for (let i = 0; i < 60; i++) hub.subscribe({ filter: ALL, from: start });
    const looks = jest.spyOn(SubscriptionQueue.prototype, 'silentMs', 'get');
    // Slow, never silent: nobody has to give memory back.
    for (let i = 0; i < 15; i++) await pause(100).then(() => holder.next());
    const { length } = looks.mock.calls;
    looks.mockRestore();
    expect(length).toBeGreaterThan(60);
    expect(length).toBeLessThan(1_000);
  });

  it.each<GapReason>(['compacted', 'epoch-changed'])('starts anew after %s and tells everybody', async (reason) => {
    await hub.start();
    const ending = hub.subscribe({ filter: ALL, from: 'now' });
    const told = hub.subscribe({ filter: ALL, from: 'now', onGap: 'notify' })[Symbol.asyncIterator]();
    await told.next();
    const gaps: GapReason[] = [];
    const seen: number[] = [];
    hub.follow({ batch: (batch) => seen.push(batch.position.revision), gap: (why) => gaps.push(why) });
    feed.position = { cluster: 'c', epoch: reason === 'epoch-changed' ? 1 : 0, revision: 500 };
    feed.failingHeads = 1;
    feed.play(new FeedGap(reason));
    expect(await ending.ended).toBe(reason);
    const gap = { kind: 'gap', reason, cursor: { ...feed.position, seen: null } };
    expect((await told.next()).value).toEqual(gap);
    const batch = feed.change();
    expect((await told.next()).value).toMatchObject({ kind: 'change', record: { position: batch.position } });
    expect(gaps).toEqual([reason]);
    expect(seen).toEqual([501]);
  });

  it('gives readers that came during the gap the gap too', async () => {
    await hub.start();
    feed.position = { ...feed.position, revision: 50 };
    feed.failingHeads = 1;
    feed.play(new FeedGap('compacted'));
    while (feed.heads < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(hub.health).toMatchObject({ ok: false });
    expect(await hub.subscribe({ filter: ALL, from: 'now' }).ended).toBe('compacted');
  });

  it('goes on from its own position after an unexpected error, and refuses a repeated revision', async () => {
    await hub.start();
    const reader = hub.subscribe({ filter: ALL, from: 'now' })[Symbol.asyncIterator]();
    await reader.next();
    const first = feed.change();
    await reader.next();
    feed.play(new Error('unexpected'));
    const second = feed.change();
    expect((await reader.next()).value).toMatchObject({ record: { position: second.position } });
    feed.play(first);
    const third = feed.change();
    expect((await reader.next()).value).toMatchObject({ record: { position: third.position } });
    expect(feed.starts).toEqual([1, 2, 3]);
  });

  it('accepts a cursor of a node that is ahead, and delivers only what comes after it', async () => {
    await hub.start();
    const live = { ...feed.position };
    feed.position = { ...live, revision: 3 };
    const reader = hub.subscribe({ filter: ALL, from: { ...live, revision: 3, seen: null } });
    while (hub.counts.places === 0) await new Promise((resolve) => setImmediate(resolve));
    feed.position = live;
    for (let i = 0; i < 3; i++) feed.change();
    expect((await reader[Symbol.asyncIterator]().next()).value).toMatchObject({ cursor: { revision: 4 } });
  });

  it('ends what waits when it closes before it ever started', async () => {
    feed.failingHeads = Infinity;
    const started = hub.start();
    const readers = (['now', 'initial'] as const).map((from) => hub.subscribe({ filter: ALL, from }));
    await hub.close();
    await started;
    expect(await Promise.all(readers.map((reader) => reader.ended))).toEqual(['draining', 'draining']);
    expect(hub.counts.subscriptions).toBe(0);
  });
});
