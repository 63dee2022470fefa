import type { ShardWorker } from '../cluster/shard-claims.js';
import { bucketOf } from '../store/bucket.js';
import type { ClusterKeys, Guard } from '../store/cluster-keys.js';
import type { Position } from '../store/position.js';
import type { ShadowFeed } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { Health } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import { SinkCursors } from './sink-cursors.js';
import { SinkRunner, type ChangeFilter, type SinkLag } from './sink-runner.js';
import type { Sink } from './sink.js';

/** Shards of one sink; each is 16 of the 256 buckets. The division is part of the cursors and must not change. */
const SHARDS = 16;

export interface SinkHostOptions {
  /** Names the output in the cluster's keys; another name begins anew. */
  readonly name: string;
  /** Beginning of the names of its shards. */
  readonly prefix: string;
  readonly keys: ClusterKeys;
  readonly feed: ShadowFeed;
  readonly sink: Sink;
  /** What must hold for the claim of this node on a shard; null: the node does not hold it. */
  readonly guard: (shard: string) => Guard | null;
  readonly tenants: readonly string[];
  /** Which of their changes are sent; absent: all. */
  readonly filter?: ChangeFilter;
  readonly maxInFlight: number;
  readonly logger: Logger;
}

/** Names of the shards of a sink. No errors. */
export const shardsOf = (prefix: string): readonly string[] =>
  Array.from({ length: SHARDS }, (_, number) => prefix + number.toString(16));

/** One sink of this node: how it is divided into shards, and the sending of those that this node holds. */
export class SinkHost implements ShardWorker {
  readonly shards: readonly string[];
  readonly #cursors: SinkCursors;
  readonly #runner: SinkRunner;

  constructor({ name, prefix, keys, guard, ...options }: SinkHostOptions) {
    this.shards = shardsOf(prefix);
    this.#cursors = new SinkCursors(keys, name, guard);
    const shardOf = ({ key }: ShadowRecord): string => this.shards[bucketOf(key.tenant, key.thing) % SHARDS] as string;
    this.#runner = new SinkRunner({ ...options, cursors: this.#cursors, shardOf });
  }

  get health(): Health {
    return this.#runner.health;
  }

  /** How far the shards of this node are behind. No errors. */
  get lag(): SinkLag {
    return this.#runner.lag;
  }

  /** To be called before the first change is accepted: every later one has a cursor that lies before it. */
  begin(head: Position): Promise<void> {
    return this.#cursors.begin(this.shards, head);
  }

  take(shards: readonly string[]): Promise<void> {
    return this.#runner.take(shards);
  }

  release(shards: readonly string[]): Promise<void> {
    return this.#runner.release(shards);
  }

  lose(shards: readonly string[]): void {
    this.#runner.lose(shards);
  }

  /** Resolves when everything up to `revision` is safe in the sink, or after `limitMs` milliseconds. */
  reached(revision: number, limitMs: number): Promise<void> {
    return this.#runner.reached(revision, limitMs);
  }
}
