import { decodeRecord, type EtcdRecord } from '../codec.js';
import type { Lineage } from '../lineage.js';
import type { RawRecord } from '../client/nested-txn.js';

export interface CachedRecord {
  readonly record: EtcdRecord;
  /** mod_revision of the key. */
  readonly revision: number;
}

/** Bytes of an average record: the cache holds as many as all its entries would have at this size. */
const AVERAGE_BYTES = 2 * 1024;

/**
 * The last known record of the shadows used last: only ever a guess, tried with a guard (DESIGN 3). A restored backup
 * gives old revisions to new values (ETCD 7), so nothing is kept over a change of history.
 */
export class RecordCache {
  /** Oldest use first. */
  readonly #entries = new Map<string, CachedRecord>();
  /** Own writes on their way. */
  readonly #expected = new Map<string, { readonly value: Buffer; readonly record: EtcdRecord }>();
  #bytes = 0;
  #history: number;

  constructor(
    private readonly maxEntries: number,
    private readonly history: Lineage,
  ) {
    this.#history = history.entered;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The guess for an etcd key. */
  get(key: string): CachedRecord | undefined {
    this.#checkHistory();
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

  /** The write has been answered, whatever the answer. */
  unexpect(key: string): void {
    this.#expected.delete(key);
  }

  /**
   * The record of an event of the watch. Our own writes come back through it, often before their own answer: they are
   * not parsed again. Only what is held is brought up to date: most shadows that a node hears of are served by others.
   * @throws Error when the value is not one of ours
   */
  fromFeed(key: string, value: Buffer, revision: number): EtcdRecord {
    this.#checkHistory();
    const held = this.#entries.get(key);
    if (held?.revision === revision) return held.record;
    const expected = this.#expected.get(key);
    const record = expected?.value.equals(value) ? expected.record : decodeRecord(value);
    // In its old place: being changed by others is no use of it here.
    if (held && held.revision < revision) {
      this.#entries.set(key, { record, revision });
      this.#bytes += record.bytes - held.record.bytes;
      this.#trim();
    }
    return record;
  }

  /**
   * The record held, when `value` is that very one: parsing it again would take most of what a read costs the store. The
   * revision alone does not tell after a restored backup; ids of writes are given out once, and are in the value.
   */
  sameAs(key: string, { value, revision }: RawRecord): EtcdRecord | undefined {
    const held = this.get(key);
    return held?.revision === revision && hasWrites(value, held.record) ? held.record : undefined;
  }

  /** From own reads and writes; what is older than the record held changes nothing. */
  offer(key: string, record: EtcdRecord, revision: number): void {
    this.#checkHistory();
    const held = this.#entries.get(key);
    if (held && held.revision >= revision) return;
    this.forget(key);
    this.#entries.set(key, { record, revision });
    this.#bytes += record.bytes;
    this.#trim();
  }

  /** The guess was wrong and nothing is known instead. */
  forget(key: string): void {
    const held = this.#entries.get(key);
    if (!held) return;
    this.#entries.delete(key);
    this.#bytes -= held.record.bytes;
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  /** One record is held however large it is. */
  #trim(): void {
    const { maxEntries } = this;
    while (this.#entries.size > maxEntries || (this.#bytes > maxEntries * AVERAGE_BYTES && this.#entries.size > 1)) {
      this.forget(this.#entries.keys().next().value!);
    }
  }

  #checkHistory(): void {
    if (this.#history === this.history.entered) return;
    this.#history = this.history.entered;
    this.clear();
  }
}

/** Whether a value was encoded from this record: same length, same end. Another encoding only means that it is parsed. */
function hasWrites(value: Buffer, { bytes, writes }: EtcdRecord): boolean {
  if (value.length !== bytes || writes.length === 0) return false;
  const end = `"writes":${JSON.stringify(writes)}}`;
  return value.toString('latin1', value.length - end.length) === end;
}
