import type { Clock } from '../../../resilience/clock.js';
import { TOMBSTONE_SECONDS } from '../../../document/limits.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { EtcdMembers } from '../client/members.js';

/** Milliseconds for which one lease is handed out; its time to live is as much longer, so that the last key lives long enough. */
const WINDOW_MS = 10 * 60_000;
/** The expiry of a lease deletes all its keys in one revision; Kubernetes keeps to the same limit (ETCD 5). */
const MAX_KEYS = 1000;

interface Pool {
  readonly id: string;
  /** Milliseconds of the monotonic clock. */
  readonly until: number;
  keys: number;
}

/**
 * Leases that end tombstones after 48 h, each shared by many of them: a grant is a write of its own. They are never
 * revoked, the tombstones outlive this node. The lease alone ends a tombstone: no wall clock is asked. A new leader of
 * etcd starts the time of every lease again, so a tombstone may count for longer, which harms nothing.
 */
export class TombstoneLeases {
  #pool: Pool | null = null;
  #granting: Promise<void> | null = null;

  constructor(
    private readonly cluster: EtcdMembers,
    private readonly clock: Clock,
  ) {}

  /**
   * The id of a lease for one more tombstone.
   * @param deadline milliseconds of the monotonic clock
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  async acquire(deadline: number): Promise<string> {
    for (;;) {
      const pool = this.#pool;
      if (pool && this.#isFresh(pool)) {
        pool.keys++;
        return pool.id;
      }
      const granting = this.#granting;
      try {
        await (granting ?? this.#granted(deadline));
      } catch (error) {
        const code = error instanceof ServiceError ? error.code : 'internal';
        // A full etcd grants nothing, yet deletes go on: an old lease only forgets the version a little early.
        if (pool && code === 'storageFull') return pool.id;
        // Somebody else's time ran out, not ours.
        if (granting && code === 'storageUnavailable' && this.clock.monotonic() < deadline) continue;
        throw error;
      }
    }
  }

  /**
   * Has a lease ready, while the storage still grants one.
   * @param deadline milliseconds of the monotonic clock
   * @throws ServiceError as acquire
   */
  async prepare(deadline: number): Promise<void> {
    if (!this.#pool || !this.#isFresh(this.#pool)) await (this.#granting ?? this.#granted(deadline));
  }

  /** etcd does not know the lease (any more). */
  forget(id: string): void {
    if (this.#pool?.id === id) this.#pool = null;
  }

  #isFresh(pool: Pool): boolean {
    return pool.keys < MAX_KEYS && this.clock.monotonic() < pool.until;
  }

  /** One grant at a time; those who come while it is under way share it. */
  #granted(deadline: number): Promise<void> {
    return (this.#granting = this.#grant(deadline).finally(() => (this.#granting = null)));
  }

  /** Sent again after a lost answer it leaves an empty lease behind, which ends by itself. */
  async #grant(deadline: number): Promise<void> {
    const TTL = String(TOMBSTONE_SECONDS + WINDOW_MS / 1000);
    const until = this.clock.monotonic() + WINDOW_MS;
    const { ID } = await this.cluster.read((client, call) => client.leaseClient.leaseGrant({ TTL }, call), deadline);
    this.#pool = { id: ID, until, keys: 0 };
  }
}
