/** A condition on one key. */
export type Guard =
  /** `null`: the key must not exist. */
  | { readonly key: string; readonly value: string | null }
  /** The key must not have been put since this revision. */
  | { readonly key: string; readonly revision: number };

export interface Put {
  readonly key: string;
  readonly value: string;
  /** The key ends with this lease; an earlier lease of the key no longer counts. */
  readonly lease?: string;
}

export interface KeyChange {
  readonly guards: readonly Guard[];
  readonly puts?: readonly Put[];
  readonly deletes?: readonly string[];
}

/** One key as the store holds it. */
export interface StoredKey {
  readonly value: string;
  /** Revision of the store at which the key was put last. */
  readonly revision: number;
  /** null: the key has no lease. */
  readonly lease: string | null;
}

/** What has become of one key at one revision. */
export interface KeyUpdate {
  readonly key: string;
  /** null: the key is gone, whether deleted or ended with its lease. */
  readonly value: string | null;
  /** Revision of the store at which it happened. */
  readonly revision: number;
}

/**
 * Is told what a watch sees, one call after the other. It must not wait. When it throws, the watch begins again with a
 * snapshot, after a pause.
 */
export interface KeyListener {
  /**
   * All keys as of one revision. They replace whatever was told before: a snapshot that is not the first one follows a
   * gap, or a restored backup, after which `revision` may be lower than the last.
   */
  snapshot(keys: ReadonlyMap<string, StoredKey>, revision: number): void;
  /**
   * One key after the last snapshot, in the order of the revisions. The keys of one commit come in one turn of the event
   * loop, with the same revision.
   */
  change(update: KeyUpdate): void;
}

/** A watch under way. */
export interface KeyWatch {
  /**
   * Milliseconds since the listener was last known to have been told everything that was committed; null: it has no
   * snapshot yet. A healthy watch is proven every few seconds.
   */
  readonly staleMs: number | null;
  /** What it is doing, in an operator's words. */
  readonly reason: string;
}

/**
 * A few small keys beside the shadows, by which nodes divide their work: leases, claims, cursors, records of access.
 * Keys are relative to `path`. A call may be sent again after a lost answer. A change must therefore guard itself, and one that was
 * committed may be reported as `null`.
 */
export interface ClusterKeys {
  /** Path of these keys below the cluster's own keys: empty, or ends with a slash. */
  readonly path: string;
  /**
   * @param seconds time to live of the lease
   * @returns the id of a new lease
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  grant(seconds: number): Promise<string>;
  /**
   * @returns false when the lease has ended
   * @throws ServiceError storageUnavailable, draining
   */
  keepAlive(lease: string): Promise<boolean>;
  /**
   * Ends the lease and its keys; nothing happens when it has ended already.
   * @throws ServiceError storageUnavailable, draining
   */
  revoke(lease: string): Promise<void>;
  /**
   * The keys that start with `prefix`, as of now (linearizable).
   * @throws ServiceError storageUnavailable, draining
   */
  list(prefix: string): Promise<ReadonlyMap<string, StoredKey>>;
  /**
   * How many keys start with `prefix`, as of now (linearizable); a watch on them may have added one.
   * @throws ServiceError storageUnavailable, draining
   */
  count(prefix: string): Promise<number>;
  /**
   * One key, as of now (linearizable); null: there is none.
   * @throws ServiceError storageUnavailable, draining
   */
  get(key: string): Promise<StoredKey | null>;
  /**
   * Tells `listener` all keys that start with `prefix`, and then every change in order, without gap or duplicate, until
   * `signal` ends it: whatever happens to connections and members meanwhile. After the signal the listener is not
   * called. Nothing is called before this returns. No errors: they show in `reason` and `staleMs`.
   */
  watch(prefix: string, listener: KeyListener, signal: AbortSignal): KeyWatch;
  /**
   * All or nothing.
   * @returns the revision of the store at which the change was committed; null when a guard does not hold, or when the
   * lease of a put has ended
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  commit(change: KeyChange): Promise<number | null>;
  /** The same for the keys below `path`, which ends with a slash. No errors. */
  under(path: string): ClusterKeys;
}

/** Injection token of the ClusterKeys. */
export const CLUSTER_KEYS = Symbol('ClusterKeys');
