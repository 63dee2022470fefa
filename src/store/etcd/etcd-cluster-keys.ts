import type { Etcd3, ICompare, ILeaseKeepAliveResponse } from 'etcd3';
import type { ClusterKeys, Guard, KeyChange, KeyListener, KeyWatch, StoredKey } from '../cluster-keys.js';
import type { Clock } from '../../resilience/clock.js';
import type { Logger } from '../../telemetry/logger.js';
import { isLeaseGone } from './client/etcd-error.js';
import type { EtcdMembers } from './client/members.js';
import { RestoreDetector } from './feed/restore-detector.js';
import { WATCH_TIMES, type WatchTimes } from './feed/watch-session.js';
import { EtcdKeyWatch, type KeyWatchParts } from './key-watch/etcd-key-watch.js';
import { storedKey } from './key-watch/read-snapshot.js';
import { clusterPrefix, isProgressKey, rangeEnd } from './keys.js';
import { Lineage } from './lineage.js';

/** Milliseconds for one request, all members together: shorter than any lease. */
const CALL_MS = 2_000;

export interface ClusterKeysOptions {
  readonly cluster: EtcdMembers;
  /** Prefix of everything of the service in etcd; ends with a slash. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shortened by tests. */
  readonly watchTimes?: WatchTimes;
}

/** Makes one call per request: there are only a few small ones a second. */
export class EtcdClusterKeys implements ClusterKeys {
  readonly #root: string;
  readonly #parts: KeyWatchParts;

  constructor(
    private readonly options: ClusterKeysOptions,
    readonly path = '',
    parts?: KeyWatchParts,
  ) {
    this.#root = clusterPrefix(options.prefix) + path;
    this.#parts = parts ?? watchParts(options);
  }

  under(path: string): ClusterKeys {
    return new EtcdClusterKeys(this.options, this.path + path, this.#parts);
  }

  async grant(seconds: number): Promise<string> {
    const request = { TTL: String(seconds) };
    const { ID } = await this.#cluster.read(
      (client, call) => client.leaseClient.leaseGrant(request, call),
      this.#due(),
    );
    return ID;
  }

  async keepAlive(lease: string): Promise<boolean> {
    const { TTL } = await this.#cluster.read((client) => keepAliveOnce(client, lease), this.#due());
    return Number(TTL) > 0;
  }

  async revoke(lease: string): Promise<void> {
    try {
      await this.#cluster.read((client, call) => client.leaseClient.leaseRevoke({ ID: lease }, call), this.#due());
    } catch (error) {
      if (!isLeaseGone(error)) throw error;
    }
  }

  async list(prefix: string): Promise<ReadonlyMap<string, StoredKey>> {
    const from = `${this.#root}${prefix}`;
    const range = { key: Buffer.from(from), range_end: rangeEnd(from) };
    const { kvs } = await this.#cluster.read((client, call) => client.kv.range(range, call), this.#due());
    const found = kvs.map((kv) => [kv.key.toString(), storedKey(kv)] as const);
    return new Map(
      found.filter(([key]) => !isProgressKey(key)).map(([key, stored]) => [key.slice(this.#root.length), stored]),
    );
  }

  async count(prefix: string): Promise<number> {
    const from = `${this.#root}${prefix}`;
    const range = { key: Buffer.from(from), range_end: rangeEnd(from), count_only: true };
    const { count } = await this.#cluster.read((client, call) => client.kv.range(range, call), this.#due());
    return Number(count);
  }

  async get(key: string): Promise<StoredKey | null> {
    const range = { key: this.#key(key) };
    const { kvs } = await this.#cluster.read((client, call) => client.kv.range(range, call), this.#due());
    return kvs[0] ? storedKey(kvs[0]) : null;
  }

  watch(prefix: string, listener: KeyListener, signal: AbortSignal): KeyWatch {
    const watch = new EtcdKeyWatch(this.#parts, { root: this.#root, prefix, listener, signal });
    void watch.run();
    return watch;
  }

  async commit({ guards, puts = [], deletes = [] }: KeyChange): Promise<number | null> {
    const compare = guards.map((guard) => this.#compare(guard));
    const success = [
      ...puts.map(({ key, value, lease }) => ({
        request_put: { key: this.#key(key), value: Buffer.from(value), ...(lease === undefined ? {} : { lease }) },
      })),
      ...deletes.map((key) => ({ request_delete_range: { key: this.#key(key) } })),
    ];
    try {
      const answer = await this.#cluster.read((client, call) => client.kv.txn({ compare, success }, call), this.#due());
      return answer.succeeded ? Number(answer.header.revision) : null;
    } catch (error) {
      // The lease of a put has ended, and with it the claim that the change relies on.
      if (isLeaseGone(error)) return null;
      throw error;
    }
  }

  get #cluster(): EtcdMembers {
    return this.options.cluster;
  }

  #compare(guard: Guard): ICompare {
    const key = this.#key(guard.key);
    if ('revision' in guard) return { key, target: 'Mod', result: 'Equal', mod_revision: String(guard.revision) };
    if (guard.value === null) return { key, target: 'Create', result: 'Equal', create_revision: '0' };
    return { key, target: 'Value', result: 'Equal', value: Buffer.from(guard.value) };
  }

  #key(key: string): Buffer {
    return Buffer.from(this.#root + key);
  }

  #due(): number {
    return this.options.clock.monotonic() + CALL_MS;
  }
}

/**
 * The watches have a lineage of their own: the one of the store is advanced by its feed alone. Both keep the number of
 * restores in the same key, as two nodes do.
 */
function watchParts({ cluster, prefix, logger, watchTimes: times = WATCH_TIMES }: ClusterKeysOptions): KeyWatchParts {
  return { cluster, detector: new RestoreDetector(cluster, prefix, new Lineage(), logger), logger, times };
}

/**
 * Opens a stream for one keepalive: the library's own Lease object reports a loss only after twice the time (ETCD 5).
 */
async function keepAliveOnce(client: Etcd3, lease: string): Promise<ILeaseKeepAliveResponse> {
  const stream = await client.leaseClient.leaseKeepAlive();
  try {
    return await new Promise((resolve, reject) => {
      // Never removed: cancelling emits a last error.
      stream.on('error', reject);
      stream.on('data', (answer) => resolve(answer as ILeaseKeepAliveResponse));
      stream.on('end', () => reject(new Error('the stream ended without an answer')));
      stream.write({ ID: lease });
    });
  } finally {
    stream.end();
  }
}
