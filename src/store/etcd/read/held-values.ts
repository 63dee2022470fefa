import { hashOf } from '../../name-hash.js';
import type { NameCounts } from '../../name-counts.js';
import { OWN_WORDS, ValueBlocks, type Place } from './value-blocks.js';

export interface HeldValue {
  readonly text: string;
  /** Bytes of the value. */
  readonly bytes: number;
  readonly revision: number;
}

const NONE = -1;
/** Lists of values at first; there are at least as many as values. */
const FIRST_LISTS = 1024;
const { hash: HASH, link: LINK, older: OLDER, newer: NEWER } = OWN_WORDS;

/**
 * Values of keys in the order in which they came. It is a table of lists by the hash of the key, and a list of all by
 * age, whose links lie with the values: nothing in the heap belongs to one value.
 */
export class HeldValues {
  readonly #blocks = new ValueBlocks();
  /** First value of each list. */
  #lists = new Int32Array(FIRST_LISTS).fill(NONE);
  #oldest: Place = NONE;
  #newest: Place = NONE;
  #size = 0;

  /** @param names that of each value is counted in it */
  constructor(private readonly names: NameCounts) {}

  get size(): number {
    return this.#size;
  }

  /** Bytes that are allocated for values. */
  get allocated(): number {
    return this.#blocks.allocated;
  }

  /** No errors. */
  has(key: string): boolean {
    return this.#find(key) !== NONE;
  }

  /** 0: there is no value. No errors. */
  revisionOf(key: string): number {
    const place = this.#find(key);
    return place === NONE ? 0 : this.#blocks.revisionOf(place);
  }

  /** Takes the value of a key that has none. @param bytes of the value. No errors. */
  add(key: string, value: string | Buffer, bytes: number, revision: number): void {
    if (this.#size === this.#lists.length) this.#grow();
    const blocks = this.#blocks;
    const place = blocks.add(key, value, bytes, revision);
    const hash = hashOf(key);
    this.names.add(hash);
    blocks.setWord(place, HASH, hash);
    this.#enlist(place);
    blocks.setWord(place, OLDER, this.#newest);
    blocks.setWord(place, NEWER, NONE);
    if (this.#newest === NONE) this.#oldest = place;
    else blocks.setWord(this.#newest, NEWER, place);
    this.#newest = place;
    this.#size++;
  }

  /** The value of a key. No errors. */
  get(key: string): HeldValue | undefined {
    const place = this.#find(key);
    if (place === NONE) return undefined;
    const blocks = this.#blocks;
    return { text: blocks.textOf(place), bytes: blocks.bytesOf(place), revision: blocks.revisionOf(place) };
  }

  /** Removes the value of a key. @returns its bytes; null: there is none. No errors. */
  delete(key: string): number | null {
    const place = this.#find(key);
    return place === NONE ? null : this.#remove(place);
  }

  /** Removes the value that came first. @returns its bytes; null: there is none. No errors. */
  deleteOldest(): number | null {
    return this.#oldest === NONE ? null : this.#remove(this.#oldest);
  }

  /** Removes all. No errors. */
  clear(): void {
    for (let place = this.#oldest; place !== NONE; place = this.#blocks.word(place, NEWER)) {
      this.names.remove(this.#blocks.word(place, HASH));
    }
    this.#lists = new Int32Array(FIRST_LISTS).fill(NONE);
    this.#oldest = NONE;
    this.#newest = NONE;
    this.#size = 0;
    this.#blocks.clear();
  }

  #find(key: string): Place {
    if (this.#size === 0) return NONE;
    const blocks = this.#blocks;
    const hash = hashOf(key);
    let place = this.#lists[hash & (this.#lists.length - 1)]!;
    while (place !== NONE && !(blocks.word(place, HASH) === hash && blocks.isOf(place, key))) {
      place = blocks.word(place, LINK);
    }
    return place;
  }

  #remove(place: Place): number {
    const blocks = this.#blocks;
    const hash = blocks.word(place, HASH);
    this.names.remove(hash);
    const list = hash & (this.#lists.length - 1);
    const after = blocks.word(place, LINK);
    if (this.#lists[list] === place) this.#lists[list] = after;
    else {
      let before = this.#lists[list]!;
      for (let next = before; next !== place; next = blocks.word(next, LINK)) before = next;
      blocks.setWord(before, LINK, after);
    }
    const [older, newer] = [blocks.word(place, OLDER), blocks.word(place, NEWER)];
    if (older === NONE) this.#oldest = newer;
    else blocks.setWord(older, NEWER, newer);
    if (newer === NONE) this.#newest = older;
    else blocks.setWord(newer, OLDER, older);
    this.#size--;
    const bytes = blocks.bytesOf(place);
    blocks.free(place);
    return bytes;
  }

  #enlist(place: Place): void {
    const list = this.#blocks.word(place, HASH) & (this.#lists.length - 1);
    this.#blocks.setWord(place, LINK, this.#lists[list]!);
    this.#lists[list] = place;
  }

  #grow(): void {
    this.#lists = new Int32Array(2 * this.#lists.length).fill(NONE);
    for (let place = this.#oldest; place !== NONE; place = this.#blocks.word(place, NEWER)) this.#enlist(place);
  }
}
