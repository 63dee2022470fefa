import type { Clock } from '../../../resilience/clock.js';
import { TOMBSTONE_SECONDS } from '../../../document/limits.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { EtcdMembers } from '../client/members.js';

/** Milliseconds for which one lease is handed out. It lives longer by that, so that its last key lives 48 h too. */
const WINDOW_MS = 10 * 60_000;
/** Milliseconds after which the lease that is kept ready is replaced: so a tombstone of a full etcd lives 47 h at least. */
const READY_MS = 60 * 60_000;
/** The expiry of a lease deletes all its keys in one revision; Kubernetes has the same limit (ETCD 5). */
const MAX_KEYS = 1000;

interface Pool {
  readonly id: string;
  /** Milliseconds of the monotonic clock. */
  readonly askedAt: number;
  keys: number;
}

/**
 * Leases that end tombstones after 48 h. Many tombstones share one, since a grant is a write of its own. No lease is
 * revoked: tombstones outlive this node. Only the lease ends a tombstone, whatever a wall clock says. A new leader of
 * etcd restarts the time of every lease, so a tombstone may live longer, which is harmless.
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
        // A full etcd grants no lease, yet deletes must work: an old lease only ends the tombstone a little early.
        if (pool && code === 'storageFull') return pool.id;
        // The deadline of another caller has passed, not ours.
        if (granting && code === 'storageUnavailable' && this.clock.monotonic() < deadline) continue;
        throw error;
      }
    }
  }

  /**
   * Keeps a lease at hand that is at most an hour old: a full etcd grants none, and may be full before anybody has seen
   * that it nearly is.
   * @param deadline milliseconds of the monotonic clock
   * @throws ServiceError as acquire
   */
  async prepare(deadline: number): Promise<void> {
    const age = this.#pool === null ? Infinity : this.clock.monotonic() - this.#pool.askedAt;
    if (age >= READY_MS) await (this.#granting ?? this.#granted(deadline));
  }

  /** Drops a lease that etcd does not know, or no longer knows. */
  forget(id: string): void {
    if (this.#pool?.id === id) this.#pool = null;
  }

  #isFresh(pool: Pool): boolean {
    return pool.keys < MAX_KEYS && this.clock.monotonic() - pool.askedAt < WINDOW_MS;
  }

  /** One grant at a time; calls during it share it. */
  #granted(deadline: number): Promise<void> {
    return (this.#granting = this.#grant(deadline).finally(() => (this.#granting = null)));
  }

  /** A grant that is repeated after a lost answer leaves an empty lease, which ends by itself. */
  async #grant(deadline: number): Promise<void> {
    const TTL = String(TOMBSTONE_SECONDS + WINDOW_MS / 1000);
    const askedAt = this.clock.monotonic();
    const { ID } = await this.cluster.read((client, call) => client.leaseClient.leaseGrant({ TTL }, call), deadline);
    this.#pool = { id: ID, askedAt, keys: 0 };
  }
}
