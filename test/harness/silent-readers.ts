/**
 * A process of its own, with a heap as small as its parent wants: a hub over etcd, many readers of the present state
 * that take nothing, and one that reads. Prints one JSON line. Arguments: endpoint, prefix, number of readers.
 */
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { loadConfig } from '../../src/config/load-config.js';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { ShadowWatchHub } from '../../src/watch/watch-hub.js';

const [endpoint = '', prefix = '', count = '0'] = process.argv.slice(2);
const base = loadConfig({});
const config = {
  ...base,
  etcd: { ...base.etcd, endpoints: [endpoint], prefix },
  watch: { ...base.watch, maxBytes: 32 * 1024 ** 2 },
};
const storage = openEtcdStorage({ config, logger: SILENT_LOGGER, clock: SYSTEM_CLOCK });
const hub = new ShadowWatchHub(storage.feed, config.watch, SILENT_LOGGER);
await hub.start();
for (let i = 0; i < Number(count); i++) hub.subscribe({ filter: { tenant: 't1' }, from: 'initial' });
let most = 0;
const look = setInterval(() => (most = Math.max(most, hub.queuedBytes)), 50);
let received = 0;
for await (const event of hub.subscribe({ filter: { tenant: 't1' }, from: 'initial' })) {
  if (event.kind === 'bookmark') break;
  received++;
}
clearInterval(look);
const { rss } = process.memoryUsage();
process.stdout.write(`${JSON.stringify({ received, most, megabytes: Math.round(rss / 1024 ** 2) })}\n`);
await hub.close();
await storage.close();
process.exit(0);
