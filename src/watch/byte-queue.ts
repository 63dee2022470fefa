/** Bytes of a slab. A revision of a busy cluster takes a tenth of it. */
const SLAB_BYTES = 256 * 1024;
/** Slabs that wait to be used again: what comes takes the place of what goes. */
const MAX_FREE = 2;

/** Memory for several neighbours of the queue. */
interface Slab {
  readonly bytes: Buffer;
  used: number;
  /** Pieces in it that have not been dropped. */
  held: number;
}

/** Where a piece is. */
export interface Piece {
  readonly slab: Slab;
  readonly start: number;
  readonly length: number;
}

/**
 * Pieces of bytes that leave in the order in which they came, in memory that is used again and again: a buffer for each
 * would soon belong to the old generation of the heap, and all that come after it would have V8 collect that.
 */
export class ByteQueue {
  #last: Slab | null = null;
  readonly #free: Slab[] = [];

  /** Copies the bytes. No errors. */
  add(bytes: Buffer): Piece {
    const { length } = bytes;
    const slab = this.#slabFor(length);
    const start = slab.used;
    bytes.copy(slab.bytes, start);
    slab.used += length;
    slab.held++;
    return { slab, start, length };
  }

  /** A copy of a piece that has not been dropped: its own memory is used again. No errors. */
  read({ slab, start, length }: Piece): Buffer {
    return Buffer.from(slab.bytes.subarray(start, start + length));
  }

  /** Gives the memory of the first piece back. No errors. */
  drop({ slab }: Piece): void {
    if (--slab.held > 0) return;
    slab.used = 0;
    if (slab !== this.#last && slab.bytes.length === SLAB_BYTES && this.#free.length < MAX_FREE) this.#free.push(slab);
  }

  #slabFor(length: number): Slab {
    const last = this.#last;
    if (last !== null && last.used + length <= last.bytes.length) return last;
    const isLarge = length > SLAB_BYTES;
    const slab = (isLarge ? undefined : this.#free.pop()) ?? newSlab(isLarge ? length : SLAB_BYTES);
    this.#last = slab;
    return slab;
  }
}

function newSlab(length: number): Slab {
  return { bytes: Buffer.allocUnsafeSlow(length), used: 0, held: 0 };
}
