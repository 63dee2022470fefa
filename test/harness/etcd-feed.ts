import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import type { EtcdConfig } from '../../src/config/config.js';
import { encodeRecord } from '../../src/store/etcd/codec.js';
import { EtcdMembers } from '../../src/store/etcd/client/members.js';
import { Lineage } from '../../src/store/etcd/lineage.js';
import { formatKey } from '../../src/store/etcd/keys.js';
import { EtcdShadowFeed } from '../../src/store/etcd/feed/etcd-shadow-feed.js';
import type { WatchTimes } from '../../src/store/etcd/feed/watch-session.js';
import { SILENT_LOGGER, type Logger } from '../../src/telemetry/logger.js';
import { changeOf, keyOf, stateOf, type FeedFixture, type Write } from '../suites/feed-fixture.js';
import type { EtcdServer } from './etcd.js';

export interface EtcdFeedOptions {
  /** Members, or proxies to them. */
  readonly endpoints?: readonly string[];
  readonly prefix?: string;
  readonly times?: WatchTimes;
  readonly logger?: Logger;
  readonly callTimeoutMs?: number;
}

export interface EtcdFeedFixture extends FeedFixture {
  readonly feed: EtcdShadowFeed;
  readonly history: Lineage;
  /** Calls so far that are not the watch itself. */
  readonly calls: number;
}

let prefixes = 0;

/** A feed over a real etcd. Every fixture has its own prefix, so that tests can share a server. */
export function etcdFeed(server: EtcdServer, options: EtcdFeedOptions = {}): EtcdFeedFixture {
  const config: EtcdConfig = {
    endpoints: options.endpoints ?? [server.endpoint],
    tls: { ca: null, cert: null, key: null },
    user: null,
    password: null,
    prefix: options.prefix ?? `/feed${process.pid}-${prefixes++}/`,
    quotaBytes: 1 << 30,
    callTimeoutMs: options.callTimeoutMs ?? 1_000,
  };
  const history = new Lineage();
  const logger = options.logger ?? SILENT_LOGGER;
  const cluster = new EtcdMembers(config, SYSTEM_CLOCK, SILENT_LOGGER);
  let calls = 0;
  const feed = new EtcdShadowFeed({
    config,
    connect: (host) => cluster.connect(host),
    openChannel: (host) => cluster.openChannel(host),
    calls: {
      read(call, deadline) {
        calls++;
        return cluster.read(call, deadline);
      },
    },
    history,
    logger,
    ...(options.times ? { times: options.times } : {}),
  });
  return {
    feed,
    history,
    get calls() {
      return calls;
    },
    commit: (writes) => commit(server, config.prefix, writes),
    async compact(revision) {
      await server.client.kv.compact({ revision: String(revision), physical: true });
    },
    async foreign() {
      const put = (key: string, value: string) => server.client.put(key).value(value);
      const { prefix } = config;
      await put(formatKey(prefix, keyOf('broken')), '{"version":');
      await put(formatKey(prefix, keyOf('other')), 'null');
      await put(formatKey(prefix, keyOf('empty')), '');
      await put(`${prefix}shadows/zz`, '{}');
    },
    async close() {
      cluster.close();
    },
  };
}

/** As the group commit writes: one nested Txn per shadow. */
async function commit(server: EtcdServer, prefix: string, writes: readonly Write[]): Promise<number> {
  const success = writes.map((write) => {
    const value = encodeRecord({ state: stateOf(write), change: changeOf(write), writes: `w${write.version}` });
    const put = { request_put: { key: Buffer.from(formatKey(prefix, write.key)), value } };
    return { request_txn: { compare: [], success: [put], failure: [] } };
  });
  if (success.length === 0) {
    const { header } = await server.client.kv.put({ key: Buffer.from('/elsewhere'), value: Buffer.from('x') });
    return Number(header.revision);
  }
  const { header } = await server.client.kv.txn({ compare: [], success, failure: [] });
  return Number(header.revision);
}

/** `count` revisions of one record each, 100 commits in flight. Returns the last revision. */
export async function commitMany(fixture: FeedFixture, count: number): Promise<number> {
  let last = 0;
  for (let from = 0; from < count; from += 100) {
    const size = Math.min(100, count - from);
    const revisions = await Promise.all(
      Array.from({ length: size }, (_, i) => fixture.commit([{ key: keyOf(`m${i}`), version: from + i + 1 }])),
    );
    last = Math.max(last, ...revisions);
  }
  return last;
}
