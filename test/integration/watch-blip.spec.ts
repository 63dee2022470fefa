import type { WatchConfig } from '../../src/config/config.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { ShadowWatchHub } from '../../src/watch/watch-hub.js';
import { etcdFeed } from '../harness/etcd-feed.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { keyOf } from '../suites/feed-fixture.js';

const CONFIG: WatchConfig = {
  historyRecords: 100,
  maxQueued: 50,
  maxSubscriptions: 10,
  bookmarkMs: 60_000,
  maxBytes: 256 * 1024 ** 2,
};
const SHADOWS = 4_000;
/** Milliseconds; longer than all members together are asked for one page. */
const AWAY_MS = 7_000;

describe('a reader of the present state while etcd is away', () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await startEtcd();
  });
  afterAll(() => server.stop());

  it('gets the rest afterwards, as of the same position, each shadow once', async () => {
    const fixture = etcdFeed(server);
    for (let from = 0; from < SHADOWS; from += 100) {
      await fixture.commit(Array.from({ length: 100 }, (_, i) => ({ key: keyOf(`s${from + i}`), version: 1 })));
    }
    const hub = new ShadowWatchHub(fixture.feed, CONFIG, SILENT_LOGGER);
    await hub.start();
    const reader = hub.subscribe({ filter: { tenant: 't1' }, from: 'initial' });
    const things = new Map<string, number>();
    let bookmarks = 0;
    let away: NodeJS.Timeout | undefined;
    for await (const event of reader) {
      if (event.kind === 'bookmark') bookmarks++;
      else if ('record' in event) things.set(event.record.key.thing, (things.get(event.record.key.thing) ?? 0) + 1);
      if (things.size === 500 && !away) {
        server.pause();
        away = setTimeout(() => server.resume(), AWAY_MS);
      }
      if (bookmarks > 0) break;
    }
    expect(await reader.ended).toBe('closed');
    expect(things.size).toBe(SHADOWS);
    expect(new Set(things.values())).toEqual(new Set([1]));
    await hub.close();
    await fixture.close();
  });
});
