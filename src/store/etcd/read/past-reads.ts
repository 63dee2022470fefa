import { ServiceError } from '../../../errors/service-error.js';
import { revisionAhead } from '../../as-new-as.js';
import { RevisionGone } from '../../revision-gone.js';
import type { Lineage } from '../lineage.js';
import type { ReadBatcher, ReadResult } from './read-batcher.js';

/**
 * Reads of earlier revisions. A compacted one fails the whole Txn that it is read in, so these have a batcher of their own:
 * no present read waits while a batch is split.
 */
export class PastReads {
  /** The lowest revision that is known to be there, or to have been there; callers who ask for less do not reach etcd. */
  #oldest = 0;
  #history = 0;

  constructor(
    private readonly reads: Pick<ReadBatcher, 'get' | 'close'>,
    private readonly lineage: Lineage,
  ) {}

  /**
   * The value of `key` as of `revision`.
   * @param deadline milliseconds of the monotonic clock
   * @throws RevisionGone; ServiceError revisionAhead; what ReadBatcher.get throws
   */
  async get(key: string, deadline: number, revision: number): Promise<ReadResult> {
    this.#checkHistory();
    if (revision < this.#oldest) throw new RevisionGone(`revision ${revision}`, this.#oldest);
    const found = await this.#find(key, deadline, revision);
    if (found !== null) return found;
    const head = (await this.reads.get(key, deadline)).position.revision;
    if (revision > head) throw revisionAhead(revision, head);
    throw new RevisionGone(`revision ${revision}`, await this.#searchOldest(key, deadline, revision, head));
  }

  /** Rejects all waiting reads with `draining`. */
  close(): void {
    this.reads.close();
  }

  /**
   * etcd refuses a compacted revision without a word on which one it still has. It takes as many reads as that number has
   * bits at most, once after each compaction.
   * @param gone a compacted revision
   * @param head a revision that etcd had just now
   */
  async #searchOldest(key: string, deadline: number, gone: number, head: number): Promise<number> {
    const history = this.lineage.entered;
    let low = gone;
    let high = head;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if ((await this.#find(key, deadline, middle)) === null) low = middle;
      else high = middle;
    }
    this.#checkHistory();
    // What was found in a former history says nothing about this one.
    if (this.#history === history) this.#oldest = Math.max(this.#oldest, high);
    return high;
  }

  /** null: etcd does not have the revision. */
  async #find(key: string, deadline: number, revision: number): Promise<ReadResult | null> {
    try {
      return await this.reads.get(key, deadline, revision);
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'cursorGone') return null;
      throw error;
    }
  }

  /** After a restored backup revisions are others. */
  #checkHistory(): void {
    if (this.#history === this.lineage.entered) return;
    this.#history = this.lineage.entered;
    this.#oldest = 0;
  }
}
