import type { ClusterView, Instances } from '../cluster/instances.js';
import { ShardClaims, type ShardWorker } from '../cluster/shard-claims.js';
import type { AccessEntry } from '../directory/access-records.js';
import type { SinkRecord } from '../directory/records/sink-record.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { ShadowFeed } from '../store/shadow-feed.js';
import type { Logger } from '../telemetry/logger.js';
import { changeFilterOf, watchFilterOf } from './sink-filter.js';
import { SinkHost } from './sink-host.js';
import { shardPrefix } from './sink-keys.js';
import type { OpenSink } from './sink-kind.js';
import type { SinkReport } from './sink-reports.js';

export interface RunningParts {
  /** Those below SINKS_PATH. */
  readonly keys: ClusterKeys;
  readonly instances: Instances;
  readonly feed: ShadowFeed;
  readonly maxInFlight: number;
  readonly logger: Logger;
}

/** What a node says of itself: the ids of the sinks that it has open. No errors. */
export const saidOf = (sinks: Iterable<RunningSink>): string =>
  [...sinks].map(({ entry }) => entry.record.id).join(' ');

/** The ids in it. No errors. */
const openSinks = (said = ''): readonly string[] => said.split(' ');

/** One configured sink on this node, and the shards of it that this node holds. */
export class RunningSink implements ShardWorker {
  readonly #host: SinkHost;
  readonly #claims: ShardClaims;
  #closed: Promise<void> | null = null;

  constructor(
    readonly entry: AccessEntry<SinkRecord>,
    private readonly open: OpenSink,
    { keys, instances, feed, maxInFlight, logger }: RunningParts,
  ) {
    const { id, tenant, filter } = entry.record;
    this.#host = new SinkHost({
      ...{ name: id, prefix: shardPrefix(id), keys, feed, sink: open, maxInFlight, logger },
      guard: (shard) => this.#claims.guard(shard),
      tenants: [tenant],
      filter: changeFilterOf(watchFilterOf(filter)),
    });
    this.#claims = new ShardClaims(keys, instances, this.#host.shards, this, logger);
  }

  /** What this node has to say of the sink; null: it holds no shard of it. @param now epoch milliseconds. No errors. */
  report(node: string, now: number): SinkReport | null {
    const { held } = this.#claims;
    if (held.length === 0) return null;
    const { confirmed, inFlight, revisions, oldestAt } = this.#host.lag;
    const { health } = this;
    return {
      node,
      shards: held.map((shard) => shard.slice(shardPrefix(this.entry.record.id).length)).sort(),
      confirmedRevision: confirmed,
      inFlight,
      revisionsBehind: revisions,
      secondsBehind: oldestAt === null ? 0 : Math.max(0, Math.round((now - oldestAt) / 1000)),
      ...health,
    };
  }

  get health(): { readonly ok: boolean; readonly reason: string } {
    const { ok, reason } = this.#host.health.ok ? this.open.health : this.#host.health;
    return { ok, reason };
  }

  /** The cluster as it is: claims what this node should own among those that have the sink open. No errors. */
  see(view: ClusterView): void {
    const { id } = this.entry.record;
    void this.#claims.see({ ...view, live: view.live.filter((node) => openSinks(view.said.get(node)).includes(id)) });
  }

  /** The lease of this node has ended. No errors. */
  lost(): void {
    this.#claims.lost();
  }

  take(shards: readonly string[]): Promise<void> {
    return this.#host.take(shards);
  }

  release(shards: readonly string[]): Promise<void> {
    return this.#host.release(shards);
  }

  lose(shards: readonly string[]): void {
    this.#host.lose(shards);
  }

  /** Gives its shards to the other nodes. May be called twice. Never rejects. */
  close(): Promise<void> {
    return (this.#closed ??= this.#claims.close().then(() => this.open.close()));
  }
}
