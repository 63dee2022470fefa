import type { ClusterKeys, Guard } from '../store/cluster-keys.js';
import type { Fence } from '../store/shadow-store.js';
import type { Logger } from '../telemetry/logger.js';
import { CLAIMS, type ClusterView } from './instances.js';
import { ownerOf } from './shard-owner.js';

/** Does the work of the shards that this instance holds. */
export interface ShardWorker {
  /** Begins the work. When it rejects, nothing has begun, and the claims are given up and tried again. */
  take(shards: readonly string[]): Promise<void>;
  /** Ends the work in good order and records how far it got: another instance continues right after. */
  release(shards: readonly string[]): Promise<void>;
  /** Ends the work at once: another instance may have continued it already. */
  lose(shards: readonly string[]): void;
}

/** This instance, as far as claims need it. */
export interface Claimant {
  readonly id: string;
  readonly lease: string | null;
}

/**
 * Claims the shards that this instance should own and nobody holds, and gives up those that another should own. A claim
 * is a key under the present lease of its holder. It is created only where there is none, so a shard has one holder at
 * most, and the shards of a dead instance are free when its lease ends. A claim of this instance under an earlier lease
 * does not count: it is put anew under the present one before any work begins.
 */
export class ShardClaims {
  /** Shard to the revision at which its claim was put. */
  readonly #held = new Map<string, number>();
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

  get held(): readonly string[] {
    return [...this.#held.keys()];
  }

  /** What must hold for a change of the cluster's keys in the name of a shard to count; null: the shard is not held. */
  guard(shard: string): Guard | null {
    const revision = this.#held.get(shard);
    return revision === undefined ? null : { key: CLAIMS + shard, revision };
  }

  /** What must hold for a write to a shadow in the name of a shard to count; null: the shard is not held. */
  fence(shard: string): Fence | null {
    const revision = this.#held.get(shard);
    return revision === undefined ? null : { claim: this.keys.path + CLAIMS + shard, revision };
  }

  /**
   * Claims and gives up shards by this view. Ignores views from before the last work ended or during it: the next view
   * is never far. Resolves when no work is under way; never rejects.
   */
  see(view: ClusterView): Promise<void> {
    if (this.#closed || view.askedAt < this.#settledAt) return this.#work ?? Promise.resolve();
    return (this.#work ??= this.#settle(view)
      .catch((error: unknown) => this.logger.warn({ err: error }, 'shards could not be claimed or given up'))
      .finally(() => {
        this.#work = null;
        this.#settledAt = performance.now();
      }));
  }

  /** The lease is gone, and every claim with it. */
  lost(): void {
    const shards = this.held;
    this.#held.clear();
    if (shards.length > 0) this.worker.lose(shards);
  }

  /** Gives everything up in good order. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
    await this.#giveUp(this.held).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'shards could not be given up; they go with the lease');
    });
  }

  async #settle(view: ClusterView): Promise<void> {
    const { id, lease } = this.self;
    if (lease === null) return;
    const owns = (shard: string): boolean => ownerOf(shard, view.live) === id;
    const claimOf = (shard: string) => view.claims.get(shard);
    const lost = this.held.filter((shard) => claimOf(shard)?.revision !== this.#held.get(shard));
    for (const shard of lost) this.#held.delete(shard);
    if (lost.length > 0) this.worker.lose(lost);
    // Decide everything from this view first: it is stale once we change anything.
    const foreign = this.held.filter((shard) => !owns(shard));
    const free = this.shards.filter((shard) => !this.#held.has(shard) && (claimOf(shard)?.holder ?? id) === id);
    // Claims of ours whose answer was lost, or that are left from an earlier lease.
    const strays = free.filter((shard) => !owns(shard) && claimOf(shard));
    for (const shard of strays) await this.#unclaim(shard, claimOf(shard)?.revision);
    await this.#giveUp(foreign);
    const won = new Map<string, number>();
    for (const shard of free.filter(owns)) {
      const claim = claimOf(shard);
      const revision = claim?.lease === lease ? claim.revision : await this.#claim(shard, lease, claim?.revision);
      if (revision !== null) won.set(shard, revision);
    }
    // What was claimed under a lease that is gone is put anew after the next view.
    if (won.size === 0 || this.self.lease !== lease) return;
    for (const [shard, revision] of won) this.#held.set(shard, revision);
    this.logger.info({ shards: [...won.keys()] }, 'shards taken');
    await this.#begin(won);
  }

  async #begin(won: ReadonlyMap<string, number>): Promise<void> {
    const shards = [...won.keys()];
    const isHeld = (shard: string): boolean => this.#held.get(shard) === won.get(shard);
    try {
      await this.worker.take(shards);
    } catch (error) {
      // A shard that is held without being worked on would never be done.
      await this.#giveUp(shards.filter(isHeld));
      throw error;
    }
    // Lost while the work began: the worker heard of the end before it knew of the beginning.
    const lost = shards.filter((shard) => !isHeld(shard));
    if (lost.length > 0) this.worker.lose(lost);
  }

  /** @param earlier revision of a claim of ours under another lease; undefined: nobody may hold the shard */
  #claim(shard: string, lease: string, earlier: number | undefined): Promise<number | null> {
    const key = CLAIMS + shard;
    const guard: Guard = earlier === undefined ? { key, value: null } : { key, revision: earlier };
    return this.keys.commit({ guards: [guard], puts: [{ key, value: this.self.id, lease }] });
  }

  async #giveUp(shards: readonly string[]): Promise<void> {
    if (shards.length === 0) return;
    const revisions = new Map(this.#held);
    await this.worker.release(shards);
    // All at once: when etcd goes away in between, a shard without work must not count as held.
    for (const shard of shards) this.#held.delete(shard);
    for (const shard of shards) await this.#unclaim(shard, revisions.get(shard));
    this.logger.info({ shards }, 'shards given up');
  }

  async #unclaim(shard: string, revision: number | undefined): Promise<void> {
    if (revision === undefined) return;
    const key = CLAIMS + shard;
    await this.keys.commit({ guards: [{ key, revision }], deletes: [key] });
  }
}
