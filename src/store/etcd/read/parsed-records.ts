import { hashOf } from '../../name-hash.js';
import type { NameCounts } from '../../name-counts.js';
import type { EtcdRecord } from '../codec.js';

export interface CachedRecord {
  readonly record: EtcdRecord;
  /** mod_revision of the key. */
  readonly revision: number;
}

/** A shadow whose record is held as it is worked with. */
export class ParsedRecord {
  /** An own write that etcd has not answered yet. */
  expected: EtcdRecord | null = null;
  /** Since the hand came by last. */
  used = false;
  /** Its neighbours on the way of the hand; null: there is none. */
  before: ParsedRecord | null = null;
  behind: ParsedRecord | null = null;
  readonly hash: number;

  /** @param taken bytes that it counts in `ParsedRecords` */
  constructor(
    readonly key: string,
    public known: CachedRecord,
    public taken: number,
  ) {
    this.hash = hashOf(key);
  }
}

/** Bytes that a record takes beside its content: key, objects, and the place in the Map. */
const ENTRY_BYTES = 320;
/**
 * Bytes of memory for each character of a value that is parsed, at most: `{},` is three characters, and an object of 56
 * bytes in an array. Measured over values of all kinds, with the text for gets: 4 to 23.
 */
const BYTES_PER_CHARACTER = 24;
/** Records that the hand passes by at most, so that one removal never walks them all. */
const MAX_PASSED = 64;
/**
 * Newcomers at once. Most shadows that are touched for the first time are not touched again soon: their records go
 * before the collector has moved them to where long-lived objects are, and leave no holes there.
 */
const MAX_NEWCOMERS = 512;

/**
 * Parsed records up to a number of bytes. A newcomer goes after a few others unless it was used. Round all others goes a
 * hand: one that was used since it came by last stays, one that was not has to go. So a use only sets a flag, and
 * shadows that are touched once displace no other.
 */
export class ParsedRecords {
  readonly #records = new Map<string, ParsedRecord>();
  readonly #newcomers = new Set<ParsedRecord>();
  /**
   * Where the way of the hand begins, and ends. An iterator of the Map would keep every table that the Map has had since
   * its last step.
   */
  #first: ParsedRecord | null = null;
  #latest: ParsedRecord | null = null;
  /** What the hand comes to next; null: the first. */
  #hand: ParsedRecord | null = null;
  #bytes = 0;
  /** The key that was looked up last: the steps of one update ask for the same one after the other. */
  #lastKey = '';
  #last: ParsedRecord | undefined = undefined;

  /**
   * @param names that of each record is counted in it
   * @param onLeave called with each record that has to make room
   */
  constructor(
    private readonly maxBytes: number,
    private readonly names: NameCounts,
    private readonly onLeave: (left: ParsedRecord) => void,
  ) {}

  get size(): number {
    return this.#records.size;
  }

  /** The record of a key. No errors. */
  get(key: string): ParsedRecord | undefined {
    if (key === this.#lastKey) return this.#last;
    this.#lastKey = key;
    return (this.#last = this.#records.get(key));
  }

  /** Takes a record that is wanted for the first time, of a key that has none. No errors. */
  addNewcomer(key: string, known: CachedRecord): void {
    this.#newcomers.add(this.add(key, known));
    if (this.#newcomers.size <= MAX_NEWCOMERS) return;
    const [oldest] = this.#newcomers;
    this.#newcomers.delete(oldest!);
    if (oldest!.used) oldest!.used = false;
    else this.#remove(oldest!);
  }

  /** Takes a record of a key that has none; one is held however large it is. No errors. */
  add(key: string, known: CachedRecord): ParsedRecord {
    const bytes = this.#bytesOf(known);
    while (this.#records.size > 0 && this.#bytes + bytes > this.maxBytes) this.removeOne();
    const parsed = new ParsedRecord(key, known, bytes);
    this.#records.set(key, parsed);
    this.names.add(parsed.hash);
    this.#link(parsed);
    this.#bytes += bytes;
    this.#lastKey = key;
    this.#last = parsed;
    return parsed;
  }

  /** Replaces a record by a newer one. No errors. */
  replace(parsed: ParsedRecord, known: CachedRecord): void {
    const bytes = this.#bytesOf(known);
    this.#bytes += bytes - parsed.taken;
    parsed.taken = bytes;
    parsed.known = known;
    while (this.#bytes > this.maxBytes) this.removeOne();
  }

  /** Removes a record without calling `onLeave`. No errors. */
  delete(parsed: ParsedRecord): void {
    this.#records.delete(parsed.key);
    this.names.remove(parsed.hash);
    this.#newcomers.delete(parsed);
    this.#bytes -= parsed.taken;
    if (this.#last === parsed) this.#last = undefined;
    this.#unlink(parsed);
  }

  /** Removes all, without calling `onLeave`. No errors. */
  clear(): void {
    for (const { hash } of this.#records.values()) this.names.remove(hash);
    this.#records.clear();
    this.#newcomers.clear();
    this.#first = this.#latest = this.#hand = null;
    this.#bytes = 0;
    this.#last = undefined;
  }

  /** All of them. No errors. */
  all(): Iterable<ParsedRecord> {
    return this.#records.values();
  }

  /** Removes one that was not used lately, if there is any record. No errors. */
  removeOne(): void {
    for (let passed = 0; ; passed++) {
      const parsed = this.#next();
      if (!parsed) return;
      if (!parsed.used || passed === MAX_PASSED) return this.#remove(parsed);
      parsed.used = false;
    }
  }

  #remove(parsed: ParsedRecord): void {
    this.delete(parsed);
    this.onLeave(parsed);
  }

  /** What comes behind the hand; behind the last record comes the first. */
  #next(): ParsedRecord | null {
    const next = this.#hand ?? this.#first;
    this.#hand = next && next.behind;
    return next;
  }

  #link(parsed: ParsedRecord): void {
    parsed.before = this.#latest;
    if (this.#latest === null) this.#first = parsed;
    else this.#latest.behind = parsed;
    this.#latest = parsed;
  }

  #unlink(parsed: ParsedRecord): void {
    const { before, behind } = parsed;
    if (before === null) this.#first = behind;
    else before.behind = behind;
    if (behind === null) this.#latest = before;
    else behind.before = before;
    if (this.#hand === parsed) this.#hand = behind;
    parsed.before = parsed.behind = null;
  }

  #bytesOf({ record }: CachedRecord): number {
    return Math.min(ENTRY_BYTES + BYTES_PER_CHARACTER * record.text.length, this.maxBytes);
  }
}
