import type { Health } from '../telemetry/health.js';
import type { ClusterKeys } from './cluster-keys.js';
import type { ShadowFeed } from './shadow-feed.js';
import type { ShadowStore } from './shadow-store.js';

/** How much room the servers of a storage have, at the last look. */
export interface StorageUse {
  /** Those that answered. */
  readonly members: readonly MemberUse[];
  readonly quotaBytes: number;
  /** Whether updates are refused for lack of room. */
  readonly full: boolean;
  /** Forms of records that this version reads, and the one that this node writes. */
  readonly recordFormats: { readonly reads: readonly number[]; readonly writes: number };
}

export interface MemberUse {
  readonly host: string;
  readonly usedBytes: number;
  /** Whether it leads the cluster. */
  readonly isLeader: boolean;
}

/** A store and the feed of its changes, opened and closed together. */
export interface Storage {
  readonly store: ShadowStore;
  readonly feed: ShadowFeed;
  /** Keys by which nodes divide their work; a storage of one process needs none. */
  readonly clusterKeys?: ClusterKeys;
  /** Whether the storage can serve requests; the reason is for an operator. No errors. */
  health(): Health;
  /** Absent for a storage without servers. No errors. */
  use?(): StorageUse;
  /** Ends the store; the streams of the feed end by their own signals. No errors. */
  close(): Promise<void>;
}

/** Injection token of the Storage. */
export const STORAGE = Symbol('Storage');
