import {
  decodeRecord,
  decodeText,
  isCurrentFormat,
  isTextOfWrite,
  isValueOf,
  writeIdOf,
  type EtcdRecord,
} from '../codec.js';
import { NameCounts } from '../../name-counts.js';
import { hashOf } from '../../name-hash.js';
import type { Lineage } from '../lineage.js';
import type { RawRecord } from '../client/nested-txn.js';
import { HeldValues } from './held-values.js';
import { ParsedRecords, type CachedRecord, type ParsedRecord } from './parsed-records.js';
import { ValueBlocks } from './value-blocks.js';

export type { CachedRecord };

/** Bytes that each record counts at least. With its key and its place in the cache one of 1 KB takes less. */
const LEAST_BYTES = 2 * 1024;
/** Bytes that an entry takes beside its value: the key, and its place in a table. */
const ENTRY_BYTES = 320;
/** Values take at most 16 GiB then, whatever is configured. */
const MAX_ENTRIES = 2 ** 23;
/**
 * Part of the cache's bytes that parsed records may take in addition: by the most that they can take, 10,000 of 500
 * bytes for a cache of 100,000. They are the shadows of devices that report in turn.
 */
const PARSED_SHARE = 5 / 8;
/** Slots of `#names`, and so bytes: a cache of 100,000 entries fills a tenth of them. */
const NAME_SLOTS = 2 ** 20;

/**
 * The last known records of the shadows used last: those used very last parsed, all others as the bytes of their values,
 * which take a third of that and are parsed when they are wanted. Each is only a guess: a write on top of it is guarded
 * by its revision. A restored backup gives old revisions to new values (ETCD 7), so a change of history empties the
 * cache.
 */
export class RecordCache {
  readonly #maxBytes: number;
  /** Of all keys below. */
  readonly #names = new NameCounts(NAME_SLOTS);
  readonly #parsed: ParsedRecords;
  /** Of shadows that are not in `#parsed`. */
  readonly #values = new HeldValues(this.#names);
  /** What both count. */
  #bytes = 0;
  /** Own writes, that etcd has not answered yet, of shadows that were not in `#parsed`, or are no longer. */
  readonly #expected = new Map<string, EtcdRecord>();
  #history: number;

  /** @param maxEntries records of up to 2 KiB that are held; larger ones count by what they take */
  constructor(
    maxEntries: number,
    private readonly history: Lineage,
  ) {
    this.#maxBytes = Math.min(maxEntries, MAX_ENTRIES) * LEAST_BYTES;
    this.#parsed = new ParsedRecords(this.#maxBytes * PARSED_SHARE, this.#names, (left) => this.#unparse(left));
    this.#history = history.entered;
  }

  get size(): number {
    return this.#parsed.size + this.#values.size;
  }

  /** Bytes that are allocated for values outside of the heap: no more than the cache may hold, and 1 MiB. */
  get allocated(): number {
    return this.#values.allocated;
  }

  /** The guess for an etcd key. */
  get(key: string): CachedRecord | undefined {
    this.#checkHistory();
    const parsed = this.#parsed.get(key);
    if (!parsed) return this.#parse(key);
    parsed.used = true;
    return parsed.known;
  }

  /** Announces an own write before it is sent; `unexpect` ends that. A shadow has one such write at a time. */
  expect(key: string, record: EtcdRecord): void {
    const parsed = this.#parsed.get(key);
    if (parsed) parsed.expected = record;
    else this.#expectUnparsed(key, record);
  }

  /** The write has been answered, with any outcome. */
  unexpect(key: string): void {
    const parsed = this.#parsed.get(key);
    if (parsed) parsed.expected = null;
    if (this.#expected.size > 0 && this.#expected.delete(key)) this.#names.remove(hashOf(key));
  }

  /**
   * Takes an event of the watch, without parsing it. The watch also brings own writes, often before their answer. Only
   * records that are held are brought up to date: other nodes serve most shadows of the feed.
   * @returns the record, if the node has it parsed already
   */
  observe(key: string, value: Buffer, revision: number): EtcdRecord | undefined {
    this.#checkHistory();
    const held = this.#revisionOf(key);
    if (held === revision) return this.#parsed.get(key)?.known.record;
    const expected = this.#expectedOf(key);
    const record = expected && isValueOf(expected.text, value) ? expected : undefined;
    if (held === 0 || held > revision) return record;
    if (record) this.#hold(key, record, revision);
    else if (isCurrentFormat(value)) this.#holdValue(key, value, revision);
    // What may be no record at all is read again when it is wanted.
    else this.forget(key);
    return record;
  }

  /**
   * The record of an event of the watch, as `observe` takes it.
   * @throws Error when the value is not a shadow record
   */
  fromFeed(key: string, value: Buffer, revision: number): EtcdRecord {
    const known = this.observe(key, value, revision);
    if (known) return known;
    const record = decodeRecord(value);
    if (this.#values.revisionOf(key) === revision) this.#hold(key, record, revision);
    return record;
  }

  /** False: `follows` is false for every key of this hash (name-hash.ts), as for most keys of the feed. No errors. */
  mayFollow(hash: number): boolean {
    return this.#names.mayHave(hash);
  }

  /** Whether `fromFeed` has a use for an event of the key: it is held, or an own write of it is under way. No errors. */
  follows(key: string): boolean {
    if (this.#parsed.get(key) || this.#values.has(key)) return true;
    return this.#expected.size > 0 && this.#expected.has(key);
  }

  /**
   * The held record, when `value` is its encoding: parsing it again would take most of the time of a read. The revision
   * alone does not prove it after a restored backup; ids of writes are unique and are part of the value.
   */
  sameAs(key: string, { value, revision }: RawRecord): EtcdRecord | undefined {
    this.#checkHistory();
    if (this.#revisionOf(key) !== revision) return undefined;
    const id = writeIdOf(value);
    const record = id === null ? undefined : this.get(key)?.record;
    return record && record.bytes === value.length && isTextOfWrite(record.text, id!) ? record : undefined;
  }

  /** Takes the record of an own read or write, unless the held record is as new or newer. */
  offer(key: string, record: EtcdRecord, revision: number): void {
    this.#checkHistory();
    if (this.#revisionOf(key) < revision) this.#hold(key, record, revision);
  }

  /** Drops a wrong guess when no better one is known. */
  forget(key: string): void {
    const parsed = this.#parsed.get(key);
    if (parsed) {
      this.#parsed.delete(parsed);
      this.#bytes -= this.#bytesFor(parsed.known.record.bytes);
      this.#keepExpected(parsed);
    } else this.#count(this.#values.delete(key));
  }

  /** Drops all records. */
  clear(): void {
    for (const parsed of this.#parsed.all()) this.#keepExpected(parsed);
    this.#parsed.clear();
    this.#values.clear();
    this.#bytes = 0;
  }

  /** 0: it is not held. */
  #revisionOf(key: string): number {
    return this.#parsed.get(key)?.known.revision ?? this.#values.revisionOf(key);
  }

  #expectedOf(key: string): EtcdRecord | undefined {
    return this.#parsed.get(key)?.expected ?? (this.#expected.size > 0 ? this.#expected.get(key) : undefined);
  }

  /** undefined when the value is not a record: a value of the watch was not parsed before. */
  #parse(key: string): CachedRecord | undefined {
    const held = this.#values.get(key);
    if (!held) return undefined;
    const { text, bytes, revision } = held;
    let record: EtcdRecord;
    try {
      record = decodeText(text, bytes);
    } catch {
      this.forget(key);
      return undefined;
    }
    this.#values.delete(key);
    const known = { record, revision };
    this.#parsed.add(key, known);
    return known;
  }

  /** What has not been used lately is kept as the bytes of its value. */
  #unparse(left: ParsedRecord): void {
    const { record, revision } = left.known;
    this.#values.add(left.key, record.text, record.bytes, revision);
    this.#keepExpected(left);
  }

  #keepExpected({ key, expected }: ParsedRecord): void {
    if (expected) this.#expectUnparsed(key, expected);
  }

  #expectUnparsed(key: string, record: EtcdRecord): void {
    if (!this.#expected.has(key)) this.#names.add(hashOf(key));
    this.#expected.set(key, record);
  }

  #hold(key: string, record: EtcdRecord, revision: number): void {
    const parsed = this.#parsed.get(key);
    if (parsed && this.#bytesFor(parsed.known.record.bytes) === this.#bytesFor(record.bytes)) {
      return this.#parsed.replace(parsed, { record, revision });
    }
    this.forget(key);
    if (this.#makeRoom(record.bytes)) this.#parsed.addNewcomer(key, { record, revision });
  }

  #holdValue(key: string, value: Buffer, revision: number): void {
    this.forget(key);
    if (this.#makeRoom(value.length)) this.#values.add(key, value, value.length, revision);
  }

  /** Counts a new value, and drops others for it: those that have not been used for longest. */
  #makeRoom(bytes: number): boolean {
    const needed = this.#bytesFor(bytes);
    if (needed > this.#maxBytes) return false;
    while (this.#bytes + needed > this.#maxBytes) {
      if (this.#values.size === 0) this.#parsed.removeOne();
      this.#count(this.#values.deleteOldest());
    }
    this.#bytes += needed;
    return true;
  }

  /** @param bytes of a value that is gone; null: there was none */
  #count(bytes: number | null): void {
    if (bytes !== null) this.#bytes -= this.#bytesFor(bytes);
  }

  /** What a value counts. One is held however large it is, unless the cache is off. */
  #bytesFor(bytes: number): number {
    return Math.max(Math.min(ENTRY_BYTES + ValueBlocks.bytesFor(bytes), this.#maxBytes), LEAST_BYTES);
  }

  #checkHistory(): void {
    if (this.#history === this.history.entered) return;
    this.#history = this.history.entered;
    this.clear();
  }
}
