import type { EtcdRecord } from './codec.js';
import type { EtcdHistory } from './history.js';

export interface CachedRecord {
  readonly record: EtcdRecord;
  /** mod_revision of the key. */
  readonly revision: number;
}

/**
 * The last known record of the shadows used last: only ever a guess, tried with a guard (DESIGN 3). A restored backup
 * gives old revisions to new values (ETCD 7), so nothing is kept over a change of epoch.
 */
export class RecordCache {
  /** Oldest use first. */
  readonly #entries = new Map<string, CachedRecord>();
  #epoch: number;

  constructor(
    private readonly maxEntries: number,
    private readonly history: EtcdHistory,
  ) {
    this.#epoch = history.epoch;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The guess for an etcd key. */
  get(key: string): CachedRecord | undefined {
    this.checkEpoch();
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  /** The record that `revision` wrote, if it is the one held: spares whoever follows the store the parsing. */
  at(key: string, revision: number): EtcdRecord | undefined {
    this.checkEpoch();
    const entry = this.#entries.get(key);
    return entry?.revision === revision ? entry.record : undefined;
  }

  /** From own writes and from the feed; what is older than the record held changes nothing. */
  offer(key: string, record: EtcdRecord, revision: number): void {
    this.checkEpoch();
    const held = this.#entries.get(key);
    if (held && held.revision >= revision) return;
    this.#entries.delete(key);
    this.#entries.set(key, { record, revision });
    if (this.#entries.size <= this.maxEntries) return;
    const oldest = this.#entries.keys().next();
    if (!oldest.done) this.#entries.delete(oldest.value);
  }

  /** The guess was wrong and nothing is known instead. */
  forget(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  private checkEpoch(): void {
    if (this.#epoch === this.history.epoch) return;
    this.#epoch = this.history.epoch;
    this.clear();
  }
}
