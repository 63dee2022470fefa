import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';

/** How long answers are kept. */
export interface Retention {
  /** Each at least. */
  readonly seconds: number;
  /** Seconds for which one lease is handed out. It lives longer by that, so that its last answer is kept as long too. */
  readonly windowSeconds: number;
  readonly text: string;
}

export const A_DAY: Retention = { seconds: 24 * 60 * 60, windowSeconds: 600, text: '24 hours' };
export const MINUTES: Retention = { seconds: 5 * 60, windowSeconds: 60, text: '5 minutes' };

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
    private readonly retention: Retention,
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
    return keys < MAX_KEYS && this.clock.monotonic() - askedAt < this.retention.windowSeconds * 1000;
  }

  async #grant(): Promise<Pool> {
    const askedAt = this.clock.monotonic();
    const { seconds, windowSeconds } = this.retention;
    const id = await this.keys.grant(seconds + windowSeconds);
    return (this.#pool = { id, askedAt, keys: 0 });
  }
}
