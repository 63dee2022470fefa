import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { loadConfig } from '../../src/config/load-config.js';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import type { Storage } from '../../src/store/storage.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { ShadowWatchHub } from '../../src/watch/watch-hub.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { changeOf, keyOf, stateOf } from '../suites/feed-fixture.js';

/** The attack has 3,000; these show the same on a machine that runs other tests. */
const READERS = 300;
const SHADOWS = 400;
/** Characters of padding in a shadow. */
const PADDING = 2_000;
const REQUESTS = 200;
/** Milliseconds of the deadline of a request. */
const DEADLINE_MS = 10_000;

describe('readers of the present state that take nothing', () => {
  let etcd: EtcdServer;
  let storage: Storage;
  let hub: ShadowWatchHub;
  beforeAll(async () => {
    etcd = await startEtcd();
    const base = loadConfig({});
    const config = { ...base, etcd: { ...base.etcd, endpoints: [etcd.endpoint], prefix: '/silent/' } };
    storage = openEtcdStorage({ config, logger: SILENT_LOGGER, clock: SYSTEM_CLOCK });
    hub = new ShadowWatchHub(storage.feed, config.watch, SILENT_LOGGER);
    await hub.start();
  });
  afterAll(async () => {
    await hub.close();
    await storage.close();
    await etcd.stop();
  });

  const options = () => ({ deadline: SYSTEM_CLOCK.monotonic() + DEADLINE_MS });
  const put = (n: number, padding: number) =>
    storage.store.update(
      keyOf(`s${n}`),
      (current) => {
        const write = { key: keyOf(`s${n}`), version: (current?.version ?? 0) + 1, padding };
        return { state: stateOf(write), change: changeOf(write) };
      },
      options(),
    );

  it('keep nobody from reading and writing', async () => {
    for (let n = 0; n < SHADOWS; n += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => put(n + i, PADDING)));
    }
    const readers = Array.from({ length: READERS }, () => hub.subscribe({ filter: { tenant: 't1' }, from: 'initial' }));
    const times: number[] = [];
    for (let n = 0; n < REQUESTS; n++) {
      const start = performance.now();
      const { state } = await put(n % 20, 0);
      expect((await storage.store.get(keyOf(`s${n % 20}`), options()))?.state.version).toBe(state.version);
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const [p50, p99] = [0.5, 0.99].map((part) => times[Math.floor(part * REQUESTS)]?.toFixed(1));
    process.stdout.write(`beside ${READERS} readers that take nothing: p50 ${p50} ms, p99 ${p99} ms a request\n`);
    for (const reader of readers) reader.close();
    const seen = new Set<string>();
    for await (const event of hub.subscribe({ filter: { tenant: 't1' }, from: 'initial' })) {
      if (event.kind === 'bookmark') break;
      if (event.kind === 'initial') seen.add(event.record.key.thing);
    }
    expect(seen.size).toBe(SHADOWS);
  });
});
