import type { Etcd3 } from 'etcd3';
import { SYSTEM_CLOCK } from '../../../src/resilience/clock.js';
import type { JsonObject } from '../../../src/document/shadow-document.js';
import { createEtcdStore } from '../../../src/store/etcd/open-etcd.js';
import { Lineage } from '../../../src/store/etcd/lineage.js';
import type { Change, ShadowStore } from '../../../src/store/shadow-store.js';
import { SILENT_LOGGER } from '../../../src/telemetry/logger.js';
import type { EtcdServer } from '../../harness/etcd.js';
import { etcdConfig } from '../../harness/etcd-store.js';
import type { Lab, Side } from '../lab.js';
import { Calls } from '../load/calls.js';
import { RedisShadowStore } from '../peers/redis-store.js';
import { atLeast, note, perSecond, ratio, type Result } from '../result.js';

const CALLERS = 256;
const VALUE = Buffer.from(JSON.stringify({ version: 1, reported: reading(1), change: {}, writes: ['12345678'] }));

export function reading(count: number): JsonObject {
  return { count, temperature: 21.5, humidity: 41, door: 'closed', online: true, firmware: '1.4.2', signal: -67 };
}

/** As small as an update gets: what is measured is the store. */
export const change =
  (n: number): Change =>
  (current) => ({
    state: { version: (current?.version ?? 0) + 1, reported: reading(n), metadata: {} },
    change: { kind: 'update', patch: { reported: reading(n) }, principal: 'bench', at: 1_700_000_000_000 },
  });

/** The store behind the contract, alone, against one CAS per request and a durable Redis that does the same work. */
export async function storeAlone(lab: Lab): Promise<Result> {
  const etcd = await lab.etcd();
  const redis = await lab.redis();
  const config = { etcd: etcdConfig([etcd.endpoint]), maxQueuedPerShadow: 100, cacheEntries: 100_000 };
  const opened = createEtcdStore({ config, history: new Lineage(), logger: SILENT_LOGGER, clock: SYSTEM_CLOCK });
  const streams = new RedisShadowStore(redis.port, config);
  lab.onEnd(() => opened.close());
  lab.onEnd(() => streams.close());
  const found = await lab.alternate({
    umbra: { ...updating(lab, opened.store), pids: { etcd: etcd.pid } },
    cas: { ...oneCas(lab, etcd.client), pids: { etcd: etcd.pid } },
    redis: { ...updating(lab, streams), pids: { redis: redis.pid } },
    raw: await rawGroupCommit(lab, [etcd], '/raw/'),
  });
  return {
    rows: [
      ratio('over one CAS per request', found.umbra, found.cas, perSecond, atLeast(10)),
      ratio('over durable Redis Streams', found.umbra, found.redis, perSecond, atLeast(1.1)),
      ratio('over raw etcd group commit', found.umbra, found.raw, perSecond),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}

function updating(lab: Lab, store: ShadowStore): Side {
  const load = new Calls(CALLERS, (caller, n) =>
    store.update({ tenant: 'bench', thing: `t-${caller}`, name: null }, change(n), {
      deadline: performance.now() + 10_000,
    }),
  );
  return { run: () => load.run(lab.scale.seconds) };
}

/** One guarded Txn per update; the writer knows the revision, so it needs no read. */
function oneCas(lab: Lab, client: Etcd3): Side {
  const revisions = new Map<number, string>();
  const load = new Calls(CALLERS, async (caller) => {
    revisions.set(caller, await cas(client, Buffer.from(`/cas/${caller}`), revisions.get(caller) ?? '0'));
  });
  return { run: () => load.run(lab.scale.seconds) };
}

/** @returns the revision that the key has now */
export async function cas(client: Etcd3, key: Buffer, guard: string): Promise<string> {
  const { header, succeeded } = await client.kv.txn({
    compare: [{ key, target: 'Mod', result: 'Equal', mod_revision: guard }],
    success: [{ request_put: { key, value: VALUE } }],
  });
  if (!succeeded) throw new Error('a CAS that nobody contends was lost');
  return header.revision;
}

/** What etcd itself takes from one client: 100 guarded puts a Txn, two Txns under way, nothing else. */
export async function rawGroupCommit(lab: Lab, etcd: readonly EtcdServer[], prefix: string): Promise<Side> {
  const BATCH = 100;
  const server = etcd[0] as EtcdServer;
  const revisions = ['0', '0'];
  // Each call is a batch; `perSecond` is told per update.
  const load = new Calls(2, async (caller) => {
    const puts = Array.from({ length: BATCH }, (_, i) => {
      const key = Buffer.from(`${prefix}${caller}/${i}`);
      return {
        request_txn: {
          compare: [
            { key, target: 'Mod' as const, result: 'Equal' as const, mod_revision: revisions[caller] as string },
          ],
          success: [{ request_put: { key, value: VALUE } }],
        },
      };
    });
    const { header } = await server.client.kv.txn({ success: puts });
    revisions[caller] = header.revision;
  });
  const run: Side['run'] = async () => {
    const sample = await load.run(lab.scale.seconds);
    return { ...sample, perSecond: sample.perSecond * BATCH };
  };
  return { run, pids: { etcd: server.pid } };
}
