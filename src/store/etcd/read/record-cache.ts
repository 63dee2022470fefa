import { LRUCache } from 'lru-cache';
import {
  decodeRecord,
  decodeText,
  isCurrentFormat,
  isTextOfWrite,
  isValueOf,
  writeIdOf,
  type EtcdRecord,
} from '../codec.js';
import type { Lineage } from '../lineage.js';
import type { RawRecord } from '../client/nested-txn.js';

export interface CachedRecord {
  readonly record: EtcdRecord;
  /** mod_revision of the key. */
  readonly revision: number;
}

/** The value of a shadow as text: a parsed record takes up to 24 times as much. */
interface HeldText {
  readonly text: string;
  /** Bytes of the value. */
  readonly bytes: number;
  readonly revision: number;
}

/** Bytes that each text counts at least. With its key and its places in the cache a text of 1 KB takes less. */
const LEAST_BYTES = 2 * 1024;
/** Bytes that an entry takes beside its text: key, entry, and the places in the Map and the list of the cache. */
const ENTRY_BYTES = 320;
/**
 * Bytes of memory for each character of a value that is parsed, at most: `{},` is three characters, and an object of 56
 * bytes in an array. Measured over values of all kinds, with the text for gets: 4 to 23.
 */
const PARSED_BYTES_PER_CHARACTER = 24;
/** Part of the cache's bytes that parsed records may take in addition. */
const PARSED_SHARE = 1 / 4;

/**
 * The last known records of the shadows used last: all as text, and those used very last parsed as well. Each is only a
 * guess: a write on top of it is guarded by its revision. A restored backup gives old revisions to new values (ETCD 7),
 * so a change of history empties the cache.
 */
export class RecordCache {
  /** Has no `max`: lru-cache allocates the slots of `max` entries at once, however few are used. */
  readonly #texts: LRUCache<string, HeldText>;
  /** Records of `#texts`, of the same revision or of one before. */
  readonly #parsed: LRUCache<string, CachedRecord>;
  /** Own writes that etcd has not answered yet. */
  readonly #expected = new Map<string, EtcdRecord>();
  #history: number;

  /** @param maxEntries records of up to 2 KiB that are held; larger ones count by what they take */
  constructor(
    maxEntries: number,
    private readonly history: Lineage,
  ) {
    const maxSize = Math.max(maxEntries * LEAST_BYTES, 1);
    this.#texts = new LRUCache({
      maxSize,
      // One record is held however large it is, unless the cache is off.
      sizeCalculation: (held) => Math.max(Math.min(textBytes(held), maxSize), LEAST_BYTES),
    });
    const parsedSize = Math.max(Math.floor(maxSize * PARSED_SHARE), 1);
    this.#parsed = new LRUCache({
      maxSize: parsedSize,
      sizeCalculation: ({ record }) =>
        Math.min(ENTRY_BYTES + PARSED_BYTES_PER_CHARACTER * record.text.length, parsedSize),
    });
    this.#history = history.entered;
  }

  get size(): number {
    return this.#texts.size;
  }

  /** The guess for an etcd key. */
  get(key: string): CachedRecord | undefined {
    this.#checkHistory();
    const held = this.#texts.get(key);
    if (!held) return undefined;
    return this.#known(key, held) ?? this.#parse(key, held);
  }

  /** Announces an own write before it is sent; `unexpect` ends that. A shadow has one such write at a time. */
  expect(key: string, record: EtcdRecord): void {
    this.#expected.set(key, record);
  }

  /** The write has been answered, with any outcome. */
  unexpect(key: string): void {
    this.#expected.delete(key);
  }

  /**
   * Takes an event of the watch, without parsing it. The watch also brings own writes, often before their answer. Only
   * records that are held are brought up to date: other nodes serve most shadows of the feed.
   * @returns the record, if the node has it parsed already
   */
  observe(key: string, value: Buffer, revision: number): EtcdRecord | undefined {
    this.#checkHistory();
    const held = this.#texts.peek(key);
    if (held?.revision === revision) return this.#known(key, held)?.record;
    const expected = this.#expected.get(key);
    const record = expected && isValueOf(expected.text, value) ? expected : undefined;
    if (!held || held.revision > revision) return record;
    if (record) this.#set(key, record, revision);
    else if (isCurrentFormat(value)) this.#setText(key, { text: value.toString(), bytes: value.length, revision });
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
    // A guess in an older format is as good as any.
    if (this.#texts.peek(key)?.revision === revision) this.#parsed.set(key, { record, revision });
    return record;
  }

  /** Whether `fromFeed` has a use for an event of the key: it is held, or an own write of it is under way. No errors. */
  follows(key: string): boolean {
    return this.#texts.has(key) || this.#expected.has(key);
  }

  /**
   * The held record, when `value` is its encoding: parsing it again would take most of the time of a read. The revision
   * alone does not prove it after a restored backup; ids of writes are unique and are part of the value.
   */
  sameAs(key: string, { value, revision }: RawRecord): EtcdRecord | undefined {
    this.#checkHistory();
    const held = this.#texts.get(key);
    if (held?.revision !== revision || held.bytes !== value.length) return undefined;
    const id = writeIdOf(value);
    if (id === null || !isTextOfWrite(held.text, id)) return undefined;
    return (this.#known(key, held) ?? this.#parse(key, held))?.record;
  }

  /** Takes the record of an own read or write, unless the held record is as new or newer. */
  offer(key: string, record: EtcdRecord, revision: number): void {
    this.#checkHistory();
    const held = this.#texts.peek(key);
    if (!held || held.revision < revision) this.#set(key, record, revision);
  }

  /** Drops a wrong guess when no better one is known. */
  forget(key: string): void {
    this.#texts.delete(key);
    this.#parsed.delete(key);
  }

  /** Drops all records. */
  clear(): void {
    this.#texts.clear();
    this.#parsed.clear();
  }

  #known(key: string, { revision }: HeldText): CachedRecord | undefined {
    const parsed = this.#parsed.get(key);
    return parsed?.revision === revision ? parsed : undefined;
  }

  /** undefined when the text is not a record: a value of the watch was not parsed before. */
  #parse(key: string, { text, bytes, revision }: HeldText): CachedRecord | undefined {
    try {
      const parsed = { record: decodeText(text, bytes), revision };
      this.#parsed.set(key, parsed);
      return parsed;
    } catch {
      this.forget(key);
      return undefined;
    }
  }

  #set(key: string, record: EtcdRecord, revision: number): void {
    this.#setText(key, { text: record.text, bytes: record.bytes, revision });
    if (this.#texts.has(key)) this.#parsed.set(key, { record, revision });
  }

  #setText(key: string, held: HeldText): void {
    this.#parsed.delete(key);
    this.#texts.set(key, held);
  }

  #checkHistory(): void {
    if (this.#history === this.history.entered) return;
    this.#history = this.history.entered;
    this.clear();
  }
}

/** Beyond ASCII a character may take two bytes of memory. */
function textBytes({ text, bytes }: HeldText): number {
  return ENTRY_BYTES + (text.length === bytes ? bytes : 2 * text.length);
}
