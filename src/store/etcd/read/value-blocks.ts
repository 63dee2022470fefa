/**
 * Integers of a block. A value takes a chain of blocks, and half of its last one stays empty on average: small blocks
 * lose little, and no value ever has to be moved to make room for a longer one.
 */
const BLOCK = 16;
/** Bytes of a block. */
const BLOCK_BYTES = 4 * BLOCK;
/** Blocks that are allocated at once: 1 MiB. */
const SLAB_BLOCKS = 16_384;
const SLAB_BITS = 14;
/** Words within a block: the number of the next one, and in the first one what belongs to the value. */
const NEXT = 0;
const BYTES = 1;
const REVISION_LOW = 2;
const REVISION_HIGH = 3;
const KEY_BYTES = 4;
/** Words of a value that its owner sets, by `setWord`. */
export const OWN_WORDS = { hash: 5, link: 6, older: 7, newer: 8 } as const;
export type OwnWord = (typeof OWN_WORDS)[keyof typeof OWN_WORDS];
/** Where the key, and the value behind it, begin in the first block, and go on in all others. */
const BEGIN = 9;
const GO_ON = 1;
/** Bytes of key and value in the first block, and in all others. */
const FIRST_BYTES = 4 * (BLOCK - BEGIN);
const MORE_BYTES = 4 * (BLOCK - GO_ON);
const NONE = -1;
/** Bytes of the first scratch buffer. */
const SCRATCH_BYTES = 8 * 1024;

/** Where a value is: the number of its first block. */
export type Place = number;

/**
 * Values of etcd with their keys and revisions, outside of the heap: a string or a buffer of its own takes several
 * objects, which the collector walks, and each small object that stays keeps a page of the heap from being given back.
 */
export class ValueBlocks {
  readonly #slabs: Int32Array[] = [];
  /** First of the blocks that are free again, each of which names the next. */
  #free = NONE;
  /** Blocks that have been in use. */
  #begun = 0;
  /** Values pass through here: the blocks of one lie apart. It is as large as the largest value. */
  #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #words = new Int32Array(this.#scratch.buffer);

  /** Bytes that a value takes here. @param bytes of the value and its key. No errors. */
  static bytesFor(bytes: number): number {
    return BLOCK_BYTES * (1 + Math.max(0, Math.ceil((bytes - FIRST_BYTES) / MORE_BYTES)));
  }

  /** Bytes that are allocated; a value that goes leaves its blocks to the next one. */
  get allocated(): number {
    return this.#slabs.length * SLAB_BLOCKS * BLOCK_BYTES;
  }

  /**
   * Stores a value. No errors.
   * @param value a text is stored in UTF-8
   * @param bytes of the value
   */
  add(key: string, value: string | Buffer, bytes: number, revision: number): Place {
    this.#reserve(3 * key.length + bytes);
    const keyBytes = this.#scratch.write(key);
    if (typeof value === 'string') this.#scratch.write(value, keyBytes);
    else value.copy(this.#scratch, keyBytes);
    const first = this.#take();
    const slab = this.#slabOf(first);
    const start = startOf(first);
    slab[start + BYTES] = bytes;
    slab[start + REVISION_LOW] = revision | 0;
    slab[start + REVISION_HIGH] = Math.floor(revision / 2 ** 32);
    slab[start + KEY_BYTES] = keyBytes;
    this.#spread(first, keyBytes + bytes);
    return first;
  }

  /** A word that the owner of the values has set. No errors. */
  word(place: Place, word: OwnWord): number {
    return this.#slabOf(place)[startOf(place) + word]!;
  }

  /** Sets a word, of 32 bits with a sign. @param value of it. No errors. */
  setWord(place: Place, word: OwnWord, value: number): void {
    this.#slabOf(place)[startOf(place) + word] = value;
  }

  /** Whether the value at a place is the one of this key. No errors. */
  isOf(place: Place, key: string): boolean {
    const bytes = this.#slabOf(place)[startOf(place) + KEY_BYTES]!;
    if (bytes < key.length) return false;
    this.#gather(place, bytes);
    return this.#scratch.toString('utf8', 0, bytes) === key;
  }

  /** Bytes of the value at a place. No errors. */
  bytesOf(place: Place): number {
    return this.#slabOf(place)[startOf(place) + BYTES]!;
  }

  /** Revision of the value at a place. No errors. */
  revisionOf(place: Place): number {
    const slab = this.#slabOf(place);
    const start = startOf(place);
    return slab[start + REVISION_HIGH]! * 2 ** 32 + (slab[start + REVISION_LOW]! >>> 0);
  }

  /** The value at a place as text. No errors. */
  textOf(place: Place): string {
    const begin = this.#slabOf(place)[startOf(place) + KEY_BYTES]!;
    const end = begin + this.bytesOf(place);
    this.#gather(place, end);
    return this.#scratch.toString('utf8', begin, end);
  }

  /** Frees a place that holds a value. No errors. */
  free(place: Place): void {
    let last = place;
    for (let next = place; next !== NONE; next = this.#slabOf(last)[startOf(last) + NEXT]!) last = next;
    this.#slabOf(last)[startOf(last) + NEXT] = this.#free;
    this.#free = place;
  }

  /** Gives all memory back. No errors. */
  clear(): void {
    this.#slabs.length = 0;
    this.#free = NONE;
    this.#begun = 0;
  }

  /** Writes the scratch buffer into a chain of blocks. */
  #spread(first: number, bytes: number): void {
    const words = this.#words;
    const end = (bytes + 3) >> 2;
    let block = first;
    let at = BEGIN;
    let from = 0;
    for (;;) {
      const slab = this.#slabOf(block);
      const start = startOf(block);
      for (; at < BLOCK && from < end; at++) slab[start + at] = words[from++]!;
      if (from === end) return void (slab[start + NEXT] = NONE);
      block = this.#take();
      slab[start + NEXT] = block;
      at = GO_ON;
    }
  }

  /** Reads so many bytes of a chain of blocks into the scratch buffer. */
  #gather(place: Place, bytes: number): void {
    const words = this.#words;
    let block = place;
    let at = BEGIN;
    for (let from = 0; from * 4 < bytes;) {
      const slab = this.#slabOf(block);
      const start = startOf(block);
      for (; at < BLOCK; at++) words[from++] = slab[start + at]!;
      block = slab[start + NEXT]!;
      at = GO_ON;
    }
  }

  #take(): number {
    const free = this.#free;
    if (free !== NONE) {
      this.#free = this.#slabOf(free)[startOf(free) + NEXT]!;
      return free;
    }
    if (this.#begun === this.#slabs.length * SLAB_BLOCKS) this.#slabs.push(new Int32Array(SLAB_BLOCKS * BLOCK));
    return this.#begun++;
  }

  #slabOf(block: number): Int32Array {
    return this.#slabs[block >>> SLAB_BITS]!;
  }

  /** Whole blocks are read back, so there is room for one more than the value needs. */
  #reserve(bytes: number): void {
    const needed = bytes + BLOCK_BYTES;
    if (needed <= this.#scratch.length) return;
    this.#scratch = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(needed)));
    this.#words = new Int32Array(this.#scratch.buffer);
  }
}

/** Where a block begins in its slab. */
function startOf(block: number): number {
  return (block & (SLAB_BLOCKS - 1)) * BLOCK;
}
