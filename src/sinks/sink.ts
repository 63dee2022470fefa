import type { ShadowRecord } from '../store/shadow-store.js';

/** One output that all nodes share, such as the topics of an external broker. */
export interface Sink {
  /**
   * Sends what this change means. Called in the order of the feed; what it sends for one shadow leaves in that order.
   * Resolves when the outputs are safe on the other side, however long that takes. Never rejects.
   * @param reading ends when what it gave comes again from the cursor, here or on another node: a sink that tries for long
   * makes no new attempt for the record then, and leaves it unresolved
   */
  deliver(record: ShadowRecord, reading: AbortSignal): Promise<void>;
  /**
   * As deliver, for a record of the present state after changes were missed: what brings receivers up to date.
   * @param reading ends when the shard of the record is sent by another node, or from its present state once more
   */
  converge(record: ShadowRecord, reading: AbortSignal): Promise<void>;
}
