import type { Logger } from '../telemetry/logger.js';
import type { ClusterKeys, Guard } from '../store/cluster-keys.js';
import { CLAIMS, type ClusterView } from './instances.js';
import { ownerOf } from './shard-owner.js';

/** Does the work of the shards that this instance holds. */
export interface ShardWorker {
  /** From now on it is ours. When it rejects, nothing has been begun, and the claim is given up and tried again. */
  take(shards: readonly string[]): Promise<void>;
  /** Stop in good order and note what has been done: somebody else goes on right after. */
  release(shards: readonly string[]): Promise<void>;
  /** Stop at once: somebody else may have gone on already. */
  lose(shards: readonly string[]): void;
}

/** This instance, as far as claims need it. */
export interface Claimant {
  readonly id: string;
  readonly lease: string | null;
}

/** What must hold for a write in the name of a shard to count. */
export function claimGuard(shard: string, instance: string): Guard {
  return { key: CLAIMS + shard, value: instance };
}

/**
 * ShardClaims the shards that this instance should own and nobody holds, and gives up those that another should own. A claim
 * is a key under the lease of its holder, created only where there is none: so a shard has one holder at most, and a dead
 * one's shards are free when its lease ends.
 */
export class ShardClaims {
  readonly #held = new Set<string>();
  #work: Promise<void> | null = null;
  #settledAt = 0;
  #closed = false;

  constructor(
    private readonly keys: ClusterKeys,
    private readonly self: Claimant,
    private readonly shards: readonly string[],
    private readonly worker: ShardWorker,
    private readonly logger: Logger,
  ) {}

  /** Whether it has claimed what it should at least once. */
  get isSettled(): boolean {
    return this.#settledAt > 0;
  }

  get held(): ReadonlySet<string> {
    return this.#held;
  }

  /** Views from before the last work was done, or that come during it, are left out: the next one is never far. */
  see(view: ClusterView): void {
    if (this.#closed || view.askedAt < this.#settledAt) return;
    this.#work ??= this.#settle(view)
      .catch((error: unknown) => this.logger.warn({ err: error }, 'shards could not be claimed or given up'))
      .finally(() => {
        this.#work = null;
        this.#settledAt = performance.now();
      });
  }

  /** The lease is gone, and every claim with it. */
  lost(): void {
    const shards = [...this.#held];
    this.#held.clear();
    if (shards.length > 0) this.worker.lose(shards);
  }

  /** Gives everything up in good order. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
    await this.#giveUp([...this.#held]).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'shards could not be given up; they go with the lease');
    });
  }

  async #settle(view: ClusterView): Promise<void> {
    const { id } = this.self;
    const mine = (shard: string): boolean => ownerOf(shard, view.live) === id;
    const holds = (shard: string): boolean => view.claims.get(shard) === id;
    const lost = this.shards.filter((shard) => this.#held.has(shard) && !holds(shard));
    for (const shard of lost) this.#held.delete(shard);
    if (lost.length > 0) this.worker.lose(lost);
    // All from the view, before anything is changed: afterwards it does not show what is so.
    const foreign = this.shards.filter((shard) => this.#held.has(shard) && !mine(shard));
    const wanted = this.shards.filter(
      (shard) => !this.#held.has(shard) && mine(shard) && (holds(shard) || !view.claims.has(shard)),
    );
    // A claim of ours whose answer was lost.
    const strays = this.shards.filter((shard) => !this.#held.has(shard) && !mine(shard) && holds(shard));
    for (const shard of strays) await this.#unclaim(shard);
    await this.#giveUp(foreign);
    const won: string[] = [];
    for (const shard of wanted) if (holds(shard) || (await this.#claim(shard))) won.push(shard);
    if (won.length === 0 || this.self.lease === null) return;
    for (const shard of won) this.#held.add(shard);
    this.logger.info({ shards: won }, 'shards taken');
    await this.#begin(won);
  }

  async #begin(won: readonly string[]): Promise<void> {
    try {
      await this.worker.take(won);
    } catch (error) {
      // Held without being worked on, nobody would ever do it.
      await this.#giveUp(won.filter((shard) => this.#held.has(shard)));
      throw error;
    }
    // Lost while it was begun: the worker was told of the end before it knew of the beginning.
    const lost = won.filter((shard) => !this.#held.has(shard));
    if (lost.length > 0) this.worker.lose(lost);
  }

  async #claim(shard: string): Promise<boolean> {
    const { id, lease } = this.self;
    if (lease === null) return false;
    const key = CLAIMS + shard;
    return this.keys.commit({ guards: [{ key, value: null }], puts: [{ key, value: id, lease }] });
  }

  async #giveUp(shards: readonly string[]): Promise<void> {
    if (shards.length === 0) return;
    await this.worker.release(shards);
    // All at once: when etcd goes away in between, what is not worked on any more must not count as held.
    for (const shard of shards) this.#held.delete(shard);
    for (const shard of shards) await this.#unclaim(shard);
    this.logger.info({ shards }, 'shards given up');
  }

  async #unclaim(shard: string): Promise<void> {
    await this.keys.commit({ guards: [claimGuard(shard, this.self.id)], deletes: [CLAIMS + shard] });
  }
}
