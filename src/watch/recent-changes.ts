import { Fifo } from '../resilience/fifo.js';
import { sameHistory, type Position } from '../store/position.js';
import type { FeedBatch, Unpacker } from '../store/shadow-feed.js';
import { ByteQueue, type Piece } from './byte-queue.js';
import type { Cursor } from './subscription.js';

/**
 * Where a cursor lies: `held` – the changes after it are in the ring; `older` – they are only in the store; `ahead` –
 * this node has not reached it yet; `elsewhere` – in another history.
 */
export type Place = 'held' | 'older' | 'ahead' | 'elsewhere';

/** Bytes of an average record: the ring holds as many as all its records would have at this size. */
const AVERAGE_BYTES = 4 * 1024;

/** The last records in memory, in whole revisions, for readers that resume. */
export class RecentChanges {
  readonly #batches = new Fifo<Held>();
  readonly #packed = new ByteQueue();
  #records = 0;
  #bytes = 0;
  /** Everything after it, up to `position`, is held. */
  #floor: Position;
  #position: Position;

  /**
   * @param start position from which on the ring is filled
   * @param maxRecords most records that are kept; a revision with more, or of more than 4 KiB for each of them, is not
   */
  constructor(
    start: Position,
    private readonly maxRecords: number,
  ) {
    this.#floor = start;
    this.#position = start;
  }

  /** Last revision that was applied. */
  get position(): Position {
    return this.#position;
  }

  get size(): number {
    return this.#records;
  }

  /** @throws Error when the revision is not after the last one: a feed that repeats itself must not go unnoticed */
  append(batch: FeedBatch): void {
    const { position, records } = batch;
    if (!sameHistory(position, this.#position) || position.revision <= this.#position.revision) {
      throw new Error(`revision ${position.revision} does not follow ${this.#position.revision}`);
    }
    this.#position = position;
    if (records.length === 0) return;
    const held = this.#hold(batch);
    this.#batches.push(held);
    this.#records += held.size;
    this.#bytes += held.bytes;
    const { maxRecords } = this;
    while (this.#records > maxRecords || this.#bytes > maxRecords * AVERAGE_BYTES) this.#dropFirst();
  }

  /** Where the cursor lies; `held` means that `following` has all changes after it. No errors. */
  place(cursor: Cursor): Place {
    if (!sameHistory(cursor, this.#position)) return 'elsewhere';
    if (cursor.revision > this.#position.revision) return 'ahead';
    if (cursor.revision < this.#floor.revision) return 'older';
    // In the middle of a revision that is not held any more.
    return cursor.revision === this.#floor.revision && cursor.seen !== null ? 'older' : 'held';
  }

  /** The first batch with records after the cursor; null when there is none. Only for a cursor that is `held`. No errors. */
  following(cursor: Cursor): FeedBatch | null {
    const wanted = cursor.seen === null ? cursor.revision + 1 : cursor.revision;
    let from = 0;
    for (let end = this.#batches.size; from < end;) {
      const middle = (from + end) >>> 1;
      if ((this.#batches.at(middle)?.position.revision ?? 0) >= wanted) end = middle;
      else from = middle + 1;
    }
    const held = this.#batches.at(from);
    return held === undefined ? null : this.#batchOf(held);
  }

  #hold(batch: FeedBatch): Held {
    const { position, records, packed } = batch;
    const size = records.length;
    if (!packed) return { position, size, bytes: bytesOf(batch), piece: null, unpacker: null, batch };
    const { bytes, unpacker } = packed;
    return { position, size, bytes: bytes.length, piece: this.#packed.add(bytes), unpacker, batch: null };
  }

  #batchOf(held: Held): FeedBatch | null {
    const { piece, unpacker, position } = held;
    if (piece && unpacker) held.batch ??= unpacker.unpack(this.#packed.read(piece), position);
    return held.batch;
  }

  #dropFirst(): void {
    const held = this.#batches.take();
    if (!held) return;
    if (held.piece) this.#packed.drop(held.piece);
    this.#records -= held.size;
    this.#bytes -= held.bytes;
    this.#floor = held.position;
  }
}

/** A batch of the ring: packed until the first reader asks for it, and then one for all readers. */
interface Held {
  readonly position: Position;
  readonly size: number;
  readonly bytes: number;
  readonly piece: Piece | null;
  readonly unpacker: Unpacker | null;
  batch: FeedBatch | null;
}

function bytesOf({ records }: FeedBatch): number {
  let bytes = 0;
  for (const record of records) bytes += record.bytes ?? 0;
  return bytes;
}
