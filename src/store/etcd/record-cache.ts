import { decodeRecord, type EtcdRecord } from './codec.js';
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
  /** Own writes on their way. */
  readonly #expected = new Map<string, { readonly value: Buffer; readonly record: EtcdRecord }>();
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

  /** A write of our own that is on its way; `unexpect` ends it. A shadow has one at a time. */
  expect(key: string, value: Buffer, record: EtcdRecord): void {
    this.#expected.set(key, { value, record });
  }

  unexpect(key: string): void {
    this.#expected.delete(key);
  }

  /**
   * The record of an event of the watch. Our own writes come back through it, often before their own answer: they are
   * not parsed again. Only what is held is brought up to date: most shadows that a node hears of are served by others.
   * @throws Error when the value is not one of ours
   */
  fromFeed(key: string, value: Buffer, revision: number): EtcdRecord {
    this.checkEpoch();
    const held = this.#entries.get(key);
    if (held?.revision === revision) return held.record;
    const expected = this.#expected.get(key);
    const record = expected?.value.equals(value) ? expected.record : decodeRecord(value);
    // In its old place: being changed by others is no use of it here.
    if (held && held.revision < revision) this.#entries.set(key, { record, revision });
    return record;
  }

  /** From own reads and writes; what is older than the record held changes nothing. */
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
