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
/** Places within a block: the number of the next one, and in the first one bytes and revision of the value. */
const NEXT = 0;
const BYTES = 1;
const REVISION_LOW = 2;
const REVISION_HIGH = 3;
/** Where the value begins in its first block, and goes on in all others. */
const BEGIN = 4;
const GO_ON = 1;
/** Bytes of a value in its first block, and in all others. */
const FIRST_BYTES = 4 * (BLOCK - BEGIN);
const MORE_BYTES = 4 * (BLOCK - GO_ON);
const NONE = -1;
/** Bytes of the first scratch buffer. */
const SCRATCH_BYTES = 8 * 1024;

/** Where a value is: the number of its first block. */
export type Place = number;

/**
 * Values of etcd with their revisions, outside of the heap: a string or a buffer of its own takes several objects, which
 * the collector walks.
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

  /** Bytes that a value takes here. @param bytes of the value. No errors. */
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
  add(value: string | Buffer, bytes: number, revision: number): Place {
    this.#reserve(bytes);
    if (typeof value === 'string') this.#scratch.write(value);
    else value.copy(this.#scratch);
    const first = this.#take();
    const slab = this.#slabOf(first);
    const start = startOf(first);
    slab[start + BYTES] = bytes;
    slab[start + REVISION_LOW] = revision | 0;
    slab[start + REVISION_HIGH] = Math.floor(revision / 2 ** 32);
    this.#spread(first, bytes);
    return first;
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
    const bytes = this.bytesOf(place);
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
    return this.#scratch.toString('utf8', 0, bytes);
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
