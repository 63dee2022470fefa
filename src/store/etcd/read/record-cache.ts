import { LRUCache } from 'lru-cache';
import { decodeRecord, type EtcdRecord } from '../codec.js';
import type { Lineage } from '../lineage.js';
import type { RawRecord } from '../client/nested-txn.js';

export interface CachedRecord {
  readonly record: EtcdRecord;
  /** mod_revision of the key. */
  readonly revision: number;
}

/** Bytes that each record counts at least: the parsed objects of a small record take about as much. */
const LEAST_BYTES = 2 * 1024;

/**
 * The last known records of the shadows used last. Each is only a guess: a write on top of it is guarded by its revision.
 * A restored backup gives old revisions to new values (ETCD 7), so a change of history empties the cache.
 */
export class RecordCache {
  /** Has no `max`: lru-cache allocates the slots of `max` entries at once, however few are used. */
  readonly #entries: LRUCache<string, CachedRecord>;
  /** Own writes that etcd has not answered yet. */
  readonly #expected = new Map<string, { readonly value: Buffer; readonly record: EtcdRecord }>();
  #history: number;

  /** @param maxEntries records of up to 2 KiB that are held; larger ones count by their bytes */
  constructor(
    maxEntries: number,
    private readonly history: Lineage,
  ) {
    const maxSize = Math.max(maxEntries * LEAST_BYTES, 1);
    this.#entries = new LRUCache({
      maxSize,
      // One record is held however large it is, unless the cache is off.
      sizeCalculation: ({ record }) => Math.max(Math.min(record.bytes, maxSize), LEAST_BYTES),
    });
    this.#history = history.entered;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The guess for an etcd key. */
  get(key: string): CachedRecord | undefined {
    this.#checkHistory();
    return this.#entries.get(key);
  }

  /** Announces an own write before it is sent; `unexpect` ends that. A shadow has one such write at a time. */
  expect(key: string, value: Buffer, record: EtcdRecord): void {
    this.#expected.set(key, { value, record });
  }

  /** The write has been answered, with any outcome. */
  unexpect(key: string): void {
    this.#expected.delete(key);
  }

  /**
   * The record of an event of the watch. The watch also brings own writes, often before their answer: those are not
   * parsed again. Only records that are held are brought up to date: other nodes serve most shadows of the feed.
   * @throws Error when the value is not a shadow record
   */
  fromFeed(key: string, value: Buffer, revision: number): EtcdRecord {
    this.#checkHistory();
    const held = this.#entries.peek(key);
    if (held?.revision === revision) return held.record;
    const expected = this.#expected.get(key);
    const record = expected?.value.equals(value) ? expected.record : decodeRecord(value);
    if (held && held.revision < revision) this.#entries.set(key, { record, revision });
    return record;
  }

  /** Whether `fromFeed` has a use for an event of the key: it is held, or an own write of it is under way. No errors. */
  follows(key: string): boolean {
    return this.#entries.has(key) || this.#expected.has(key);
  }

  /**
   * The held record, when `value` is its encoding: parsing it again would take most of the time of a read. The revision
   * alone does not prove it after a restored backup; ids of writes are unique and are part of the value.
   */
  sameAs(key: string, { value, revision }: RawRecord): EtcdRecord | undefined {
    const held = this.get(key);
    return held?.revision === revision && hasWrites(value, held.record) ? held.record : undefined;
  }

  /** Takes the record of an own read or write, unless the held record is as new or newer. */
  offer(key: string, record: EtcdRecord, revision: number): void {
    this.#checkHistory();
    const held = this.#entries.peek(key);
    if (!held || held.revision < revision) this.#entries.set(key, { record, revision });
  }

  /** Drops a wrong guess when no better one is known. */
  forget(key: string): void {
    this.#entries.delete(key);
  }

  /** Drops all records. */
  clear(): void {
    this.#entries.clear();
  }

  #checkHistory(): void {
    if (this.#history === this.history.entered) return;
    this.#history = this.history.entered;
    this.clear();
  }
}

/** Whether `value` encodes this record: same length, same end. False for another encoding of it, which is then parsed. */
function hasWrites(value: Buffer, { bytes, writes }: EtcdRecord): boolean {
  if (value.length !== bytes || writes.length === 0) return false;
  const end = `"writes":${JSON.stringify(writes)}}`;
  return value.toString('latin1', value.length - end.length) === end;
}
