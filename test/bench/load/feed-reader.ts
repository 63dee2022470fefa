import { setTimeout as pause } from 'node:timers/promises';
import { SYSTEM_CLOCK } from '../../../src/resilience/clock.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { openEtcdStorage } from '../../../src/store/etcd/open-etcd.js';
import { SILENT_LOGGER } from '../../../src/telemetry/logger.js';
import { serve } from './helper.js';

/** A program of the load: another node that knows nothing of the writes but what its feed tells it. */
const toldAt: [token: number, at: number][] = [];
/** Milliseconds for what is still on its way. */
const LATE_MS = 10_000;

serve({
  async follow(environment: Readonly<Record<string, string>>): Promise<void> {
    const parts = { config: loadConfig(environment), logger: SILENT_LOGGER, clock: SYSTEM_CLOCK };
    const { feed } = openEtcdStorage(parts);
    const { signal } = new AbortController();
    const head = await feed.head(signal);
    void (async () => {
      for await (const { records } of feed.after(head, signal)) {
        const now = performance.timeOrigin + performance.now();
        for (const { change } of records) toldAt.push([Number(change.clientToken), now]);
      }
    })();
  },
  /** When each of so many updates was told, in milliseconds of the epoch. */
  async told(count: number): Promise<[token: number, at: number][]> {
    const deadline = Date.now() + LATE_MS;
    while (toldAt.length < count) {
      if (Date.now() > deadline) throw new Error(`the feed did not tell ${count - toldAt.length} updates`);
      await pause(5);
    }
    return toldAt.splice(0);
  },
});
