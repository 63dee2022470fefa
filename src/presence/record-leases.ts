import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';

/** Milliseconds for which one lease is handed out. */
const WINDOW_MS = 3_600_000;
/** Records of one lease: etcd deletes them all in one revision when it ends. */
const MAX_RECORDS = 2_000;
const DAY_SECONDS = 86_400;

/**
 * Leases that end the records of clients that do not come back. Many records share one, since a grant is a write of its own.
 * None is revoked: the records outlive this node.
 */
export class RecordLeases {
  #lease: { readonly id: string; readonly askedAt: number; records: number } | null = null;

  /** @param days for which a record is kept at least; at most an hour more */
  constructor(
    private readonly keys: Pick<ClusterKeys, 'grant'>,
    private readonly days: number,
    private readonly clock: Clock,
  ) {}

  /**
   * The lease for some more records. One call at a time.
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  async acquire(records: number): Promise<string> {
    const now = this.clock.monotonic();
    const present = this.#lease;
    if (present !== null && now - present.askedAt < WINDOW_MS && present.records < MAX_RECORDS) {
      present.records += records;
      return present.id;
    }
    const id = await this.keys.grant(this.days * DAY_SECONDS + WINDOW_MS / 1000);
    this.#lease = { id, askedAt: now, records };
    return id;
  }

  /** The lease may be gone. No errors. */
  forget(): void {
    this.#lease = null;
  }
}
