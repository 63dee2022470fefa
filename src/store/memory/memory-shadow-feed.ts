import { isTombstone } from '../../document/shadow-document.js';
import { sameHistory, type Position } from '../position.js';
import {
  FeedGap,
  matches,
  type BaseProgress,
  type FeedBatch,
  type ShadowFeed,
  type ShadowFilter,
} from '../shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../shadow-store.js';
import type { ChangeLog } from './change-log.js';

/** The source of the feed; a MemoryShadowStore is one. */
export interface MemorySource {
  readonly log: ChangeLog;
  readonly position: Position;
  /** The last record of every shadow, tombstones included. */
  readonly records: readonly ShadowRecord[];
}

export class MemoryShadowFeed implements ShadowFeed {
  /** Whatever knows presence keeps it in keys of the cluster, which are not in the log of the shadows. */
  readonly hasPresence = false;
  readonly health = { ok: true, reason: 'following the memory of this process' };

  /** The records of each position for which a base is still being read. */
  readonly #bases = new WeakMap<Position, readonly ShadowRecord[]>();

  constructor(private readonly source: MemorySource) {}

  async head(signal: AbortSignal): Promise<Position> {
    signal.throwIfAborted();
    return this.source.position;
  }

  async base(
    filter: ShadowFilter,
    signal: AbortSignal,
    resume?: BaseProgress,
  ): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }> {
    const position = resume?.position ?? (await this.head(signal));
    let records = this.#bases.get(position);
    if (!records) {
      if (resume && position.revision !== this.source.position.revision) throw new FeedGap('compacted');
      // With tombstones: a reader may continue after a shadow that was deleted meanwhile.
      records = this.source.records;
      this.#bases.set(position, records);
    }
    const start = resume ? records.findIndex(({ key }) => isSame(key, resume.after)) + 1 : 0;
    const rest = records.slice(start).filter(({ key, state }) => !isTombstone(state) && matches(filter, key));
    return { position, records: each(rest, signal) };
  }

  async *after(position: Position, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    let cursor = position.revision;
    if (!this.#has(position)) throw new FeedGap('epoch-changed');
    while (!signal.aborted) {
      if (!sameHistory(position, this.source.position)) throw new FeedGap('epoch-changed');
      if (cursor + 1 < this.source.log.compacted) throw new FeedGap('compacted');
      const batch = this.#next({ ...position, revision: cursor });
      if (batch) {
        cursor = batch.position.revision;
        yield batch;
      } else {
        await this.#change(signal);
      }
    }
  }

  #has(position: Position): boolean {
    const head = this.source.position;
    return sameHistory(position, head) && position.revision <= head.revision;
  }

  /** The first revision after `cursor`; a binary search, since the log is in order. */
  #next(cursor: Position): FeedBatch | null {
    const { records } = this.source.log;
    let from = 0;
    for (let end = records.length; from < end;) {
      const middle = (from + end) >>> 1;
      if (revisionOf(records[middle]) > cursor.revision) end = middle;
      else from = middle + 1;
    }
    const position = records[from]?.position;
    if (!position) {
      const head = this.source.position;
      return head.revision > cursor.revision ? { position: head, records: [] } : null;
    }
    let to = from;
    while (revisionOf(records[to]) === position.revision) to++;
    return { position, records: records.slice(from, to) };
  }

  /**
   * Resolves a turn of the loop after the log has grown or the reader has left: a revision of many records is whole
   * then.
   */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        stop();
        signal.removeEventListener('abort', done);
        setImmediate(resolve);
      };
      const stop = this.source.log.onAppend(done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }
}

const isSame = (a: ShadowKey, b: ShadowKey): boolean =>
  a.tenant === b.tenant && a.thing === b.thing && a.name === b.name;

const revisionOf = (record: ShadowRecord | undefined): number => record?.position.revision ?? -1;

async function* each(records: readonly ShadowRecord[], signal: AbortSignal): AsyncGenerator<ShadowRecord> {
  for (const record of records) {
    if (signal.aborted) return;
    yield record;
  }
}
