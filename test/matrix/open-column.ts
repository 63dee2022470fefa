import type { ShadowFeed } from '../../src/store/shadow-feed.js';
import type { ShadowKey, ShadowStore } from '../../src/store/shadow-store.js';
import type { Told } from '../faults/model/history.js';
import type { Adapter } from './adapter.js';

export const TENANT = 'lab';
/** Member of what is reported in which a writer says when it was, in epoch milliseconds. */
export const WRITTEN_AT = 'writtenAt';
/** Milliseconds that a node waits for its cache before it serves; then it serves without. */
export const LOADING_MS = 5_000;

export interface Answer {
  /** Null: there is no such shadow. */
  readonly told: Told | null;
  /**
   * Milliseconds since that was written, as the clocks of writer and reader say: it may be behind by so much, and by no
   * more. Null: it is the present state, or its writer has not said when.
   */
  readonly ageMs: number | null;
}

/** A node that reads and writes as its column does. */
export interface OpenColumn {
  readonly store: ShadowStore;
  readonly feed: ShadowFeed;
  /** As the column reads. @throws Error when nothing answers */
  read(key: ShadowKey, deadline: number): Promise<Answer>;
  /** What brings the changes to a Redis beside etcd. */
  readonly adapter?: Adapter;
  close(): Promise<void>;
}

/** Where its writer says in the document when it was. @param clock of the reader. No errors. */
export function withAge(told: Told | null, clock: () => number = Date.now): Answer {
  const at = told?.reported[WRITTEN_AT];
  return { told, ageMs: typeof at === 'number' ? clock() - at : null };
}
