import type { ShadowState } from '../../src/document/shadow-document.js';
import type { Position } from '../../src/store/position.js';
import type { FeedBatch, ShadowFeed } from '../../src/store/shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../../src/store/shadow-store.js';

export interface Write {
  readonly key: ShadowKey;
  readonly version: number;
  readonly deleted?: boolean;
  /** Characters that make the record large. */
  readonly padding?: number;
}

/** A feed, and hands on the store below it. */
export interface FeedFixture {
  readonly feed: ShadowFeed;
  /** All in one revision, which it returns. Of nothing: a revision that changes something other than shadows. */
  commit(writes: readonly Write[]): Promise<number>;
  /** Forgets the history before the revision. */
  compact(revision: number): Promise<void>;
  /** Puts what is no shadow record where records are; absent where that cannot happen. */
  foreign?(): Promise<void>;
  close(): Promise<void>;
}

export const keyOf = (thing: string, name: string | null = null, tenant = 't1'): ShadowKey => ({ tenant, thing, name });

export const stateOf = ({ version, deleted, padding = 0 }: Write): ShadowState =>
  deleted
    ? { deleted: true, version, deletedAt: 1_700_000_000 }
    : {
        version,
        reported: { n: version, padding: '-'.repeat(padding) },
        metadata: { reported: { n: { timestamp: 1_700_000_000 } } },
      };

export const changeOf = (write: Write): ShadowRecord['change'] => ({
  kind: write.deleted ? 'delete' : 'update',
  principal: 'test',
  at: 1_700_000_000_000,
});

/** `thing@version` in the order of the feed: what was seen, comparable with what was written. */
export const label = ({ key, state }: Pick<ShadowRecord, 'key' | 'state'>): string =>
  `${key.thing}${key.name === null ? '' : `.${key.name}`}@${state.version}`;

export const labelOf = (write: Write): string => label({ key: write.key, state: stateOf(write) });

/** Batches after the position up to `revision`, inclusive. */
export async function readTo(feed: ShadowFeed, position: Position, revision: number): Promise<FeedBatch[]> {
  const stop = new AbortController();
  const batches: FeedBatch[] = [];
  try {
    for await (const batch of feed.after(position, stop.signal)) {
      batches.push(batch);
      if (batch.position.revision >= revision) break;
    }
  } finally {
    stop.abort();
  }
  return batches;
}

export const labels = (batches: readonly FeedBatch[]): string[] => batches.flatMap(({ records }) => records.map(label));
