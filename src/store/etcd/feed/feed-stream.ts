import { setTimeout as pause } from 'node:timers/promises';
import type { FeedBatch, FeedGap } from '../../shadow-feed.js';
import type { ShadowRecord } from '../../shadow-store.js';
import type { RawRevision } from './revision-assembler.js';

/** A watch on one member. */
export interface OpenWatch {
  /** The next whole revisions. @throws WatchEnd */
  read(): Promise<RawRevision[]>;
  /** Ends it; a pending read rejects. Again without effect. No errors. */
  close(): void;
}

/** What a stream does by its feed. */
export interface FeedSource {
  /** The reader has asked for the first batch. */
  begun(): void;
  /** The stream has ended, by its reader or by an error. Called once after `begun`. */
  ended(): void;
  /** Follows the next member from the last batch on. @throws WatchEnd, FeedGap, and whatever the member answers */
  open(): Promise<OpenWatch>;
  /** The records that these revisions have deleted, by revision. @throws FeedGap, and whatever etcd answers */
  deleted(revisions: readonly RawRevision[]): Promise<ReadonlyMap<number, readonly ShadowRecord[]>>;
  /** @throws FeedGap when the history is another one now */
  batch(raw: RawRevision, deleted: readonly ShadowRecord[]): FeedBatch;
  /** The error for the reader; null: the stream goes on with the next member. */
  gapOf(error: unknown): FeedGap | null;
  /** A member is lost. @returns milliseconds to wait before the next one */
  lost(error: unknown): number;
}

const END: IteratorResult<FeedBatch> = { done: true, value: undefined };
const NONE_DELETED: ReadonlyMap<number, readonly ShadowRecord[]> = new Map();
const NO_RECORDS: readonly ShadowRecord[] = [];

/**
 * The batches of one reader, from member to member. An iterator by hand: with generators inside of each other a revision
 * took a dozen promises, and most revisions concern nobody on this node.
 */
export class FeedStream implements AsyncIterableIterator<FeedBatch> {
  #watch: OpenWatch | null = null;
  #revisions: readonly RawRevision[] = [];
  #at = 0;
  #deleted = NONE_DELETED;
  #isBegun = false;
  #isOver = false;

  constructor(
    private readonly source: FeedSource,
    private readonly signal: AbortSignal,
  ) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @throws FeedGap */
  async next(): Promise<IteratorResult<FeedBatch>> {
    this.#begin();
    while (!this.#isOver && !this.signal.aborted) {
      try {
        const raw = this.#revisions[this.#at];
        if (raw) {
          const value = this.source.batch(raw, this.#deleted.get(raw.revision) ?? NO_RECORDS);
          this.#at++;
          return { done: false, value };
        }
        this.#watch ??= await this.source.open();
        const revisions = await this.#watch.read();
        this.#deleted = revisions.some(hasDeletes) ? await this.source.deleted(revisions) : NONE_DELETED;
        this.#revisions = revisions;
        this.#at = 0;
      } catch (error) {
        await this.#leave(error);
      }
    }
    return this.return();
  }

  /** Ends the stream. Never rejects. */
  return(): Promise<IteratorResult<FeedBatch>> {
    if (this.#isBegun && !this.#isOver) this.source.ended();
    this.#isOver = true;
    this.#drop();
    return Promise.resolve(END);
  }

  #begin(): void {
    if (this.#isBegun || this.#isOver) return;
    this.#isBegun = true;
    this.source.begun();
  }

  /** @throws FeedGap */
  async #leave(error: unknown): Promise<void> {
    this.#drop();
    if (this.#isOver || this.signal.aborted) return;
    const gap = this.source.gapOf(error);
    if (gap) {
      await this.return();
      throw gap;
    }
    await pause(this.source.lost(error), undefined, { signal: this.signal }).catch(() => undefined);
  }

  #drop(): void {
    this.#watch?.close();
    this.#watch = null;
    this.#revisions = [];
    this.#at = 0;
  }
}

const hasDeletes = ({ deletes }: RawRevision): boolean => deletes.length > 0;
