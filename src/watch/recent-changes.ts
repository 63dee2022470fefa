import { sameHistory, type Position } from '../store/position.js';
import type { FeedBatch } from '../store/shadow-feed.js';
import type { Cursor } from './subscription.js';

/**
 * Where a cursor lies: `held` – what follows it is in the ring; `older` – the store has to be asked; `ahead` – this
 * node has not got there yet; `elsewhere` – in another history.
 */
export type Place = 'held' | 'older' | 'ahead' | 'elsewhere';

/** Emptied slots at the front of the array that are tolerated before it is moved up: the cost is spread thin. */
const SLACK = 1024;

/** Bytes of an average record: the ring holds as many as all its records would have at this size. */
const AVERAGE_BYTES = 4 * 1024;

/** The last records in memory, in whole revisions, for readers that resume. */
export class RecentChanges {
  #batches: (FeedBatch | undefined)[] = [];
  #first = 0;
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
    this.#batches.push(batch);
    this.#records += records.length;
    this.#bytes += bytesOf(batch);
    const { maxRecords } = this;
    while (this.#records > maxRecords || this.#bytes > maxRecords * AVERAGE_BYTES) this.#dropFirst();
  }

  /** Where the cursor lies; `held` means that `following` tells all that comes after it. */
  place(cursor: Cursor): Place {
    if (!sameHistory(cursor, this.#position)) return 'elsewhere';
    if (cursor.revision > this.#position.revision) return 'ahead';
    if (cursor.revision < this.#floor.revision) return 'older';
    // In the middle of a revision that is not held any more.
    return cursor.revision === this.#floor.revision && cursor.seen !== null ? 'older' : 'held';
  }

  /** The first batch with records that the cursor has not seen, if the cursor is `held` and there is one. */
  following(cursor: Cursor): FeedBatch | null {
    const wanted = cursor.seen === null ? cursor.revision + 1 : cursor.revision;
    let from = this.#first;
    for (let end = this.#batches.length; from < end;) {
      const middle = (from + end) >>> 1;
      if ((this.#batches[middle]?.position.revision ?? 0) >= wanted) end = middle;
      else from = middle + 1;
    }
    return this.#batches[from] ?? null;
  }

  #dropFirst(): void {
    const batch = this.#batches[this.#first];
    if (!batch) return;
    this.#batches[this.#first++] = undefined;
    this.#records -= batch.records.length;
    this.#bytes -= bytesOf(batch);
    this.#floor = batch.position;
    if (this.#first < SLACK || this.#first * 2 < this.#batches.length) return;
    this.#batches = this.#batches.slice(this.#first);
    this.#first = 0;
  }
}

function bytesOf({ records }: FeedBatch): number {
  let bytes = 0;
  for (const record of records) bytes += record.bytes ?? 0;
  return bytes;
}
