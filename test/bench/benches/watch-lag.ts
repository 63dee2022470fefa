import { SYSTEM_CLOCK } from '../../../src/config/clock.js';
import { openEtcdStorage } from '../../../src/store/etcd/etcd-storage.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { SILENT_LOGGER } from '../../../src/telemetry/logger.js';
import type { Lab } from '../lab.js';
import { openLoop } from '../load/open-loop.js';
import { median, spread } from '../report.js';
import { atMost, row, type Result } from '../result.js';
import { change } from './store.js';

const RATE = 10_000;
const SHADOWS = 2000;

/** From the moment at which an update was due until the feed tells it, against the time until its commit. */
export async function watchLag(lab: Lab): Promise<Result> {
  const etcd = await lab.etcd();
  const config = loadConfig({ UMBRA_ETCD_ENDPOINTS: etcd.endpoint, UMBRA_ETCD_PREFIX: '/lag/' });
  const parts = { config, logger: SILENT_LOGGER, clock: SYSTEM_CLOCK };
  const writer = openEtcdStorage(parts);
  // Another node: it knows nothing of the writes but what it is told.
  const reader = openEtcdStorage(parts);
  lab.onEnd(() => writer.close());
  lab.onEnd(() => reader.close());
  const abort = new AbortController();
  const dueAt = new Map<string, number>();
  let lags: number[] = [];
  const head = await reader.feed.head(abort.signal);
  const following = (async () => {
    for await (const { records } of reader.feed.after(head, abort.signal)) {
      const now = performance.now();
      for (const { change: made } of records) {
        const due = dueAt.get(made.clientToken ?? '');
        if (due !== undefined) lags.push(now - due);
        dueAt.delete(made.clientToken ?? '');
      }
    }
  })();
  lab.onEnd(() => {
    abort.abort();
    return following;
  });
  let n = 0;
  const ratios: number[] = [];
  const commits: number[] = [];
  const events: number[] = [];
  for (let round = -1; round < lab.scale.pairs; round++) {
    lags = [];
    const start = performance.now();
    const { p99 } = await openLoop(RATE, lab.scale.seconds, async (i) => {
      const token = String(++n);
      dueAt.set(token, start + (i / RATE) * 1000);
      const key = { tenant: 'bench', thing: `t-${n % SHADOWS}`, name: null };
      const tokened = (current: Parameters<ReturnType<typeof change>>[0]): ReturnType<ReturnType<typeof change>> => {
        const made = change(n)(current);
        return { ...made, change: { ...made.change, clientToken: token } };
      };
      await writer.store.update(key, tokened, { deadline: Date.now() + 20_000 });
    });
    const deadline = Date.now() + 5000;
    while (dueAt.size > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
    if (dueAt.size > 0) throw new Error(`the feed did not tell ${dueAt.size} updates`);
    process.stderr.write('.');
    if (round < 0) continue;
    const lag = spread(lags.slice(Math.floor(lags.length / 4))).p99;
    commits.push(p99);
    events.push(lag);
    ratios.push(lag / p99);
  }
  return {
    rows: [row('p99 until the feed tells it, over p99 until the commit, at 10,000/s', ratios, atMost(3))],
    notes: [`commit p99 ${median(commits).toFixed(1)} ms, feed p99 ${median(events).toFixed(1)} ms`],
  };
}
