import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';

/** Seconds for which an answer is kept at least. */
export const KEPT_SECONDS = 24 * 60 * 60;
/** Milliseconds for which one lease is handed out. It lives longer by that, so that its last answer lives a day too. */
const WINDOW_MS = 10 * 60_000;
/** The end of a lease deletes all its keys in one revision. */
const MAX_KEYS = 1000;

interface Pool {
  readonly id: string;
  /** Milliseconds of the monotonic clock. */
  readonly askedAt: number;
  keys: number;
}

/** Leases that end kept answers. Many answers share one, since a grant is a write of its own; none is revoked. */
export class AnswerLeases {
  #pool: Pool | null = null;
  #granting: Promise<Pool> | null = null;

  constructor(
    private readonly keys: Pick<ClusterKeys, 'grant'>,
    private readonly clock: Clock,
  ) {}

  /**
   * The id of a lease for one more answer.
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  async acquire(): Promise<string> {
    let pool = this.#pool;
    while (pool === null || !this.#isFresh(pool))
      pool = await (this.#granting ??= this.#grant().finally(() => (this.#granting = null)));
    pool.keys++;
    return pool.id;
  }

  /** Drops a lease that etcd does not know, or no longer knows. No errors. */
  forget(id: string): void {
    if (this.#pool?.id === id) this.#pool = null;
  }

  #isFresh({ keys, askedAt }: Pool): boolean {
    return keys < MAX_KEYS && this.clock.monotonic() - askedAt < WINDOW_MS;
  }

  async #grant(): Promise<Pool> {
    const askedAt = this.clock.monotonic();
    const id = await this.keys.grant(KEPT_SECONDS + WINDOW_MS / 1000);
    return (this.#pool = { id, askedAt, keys: 0 });
  }
}
