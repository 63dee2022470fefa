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

/**
 * A few small keys beside the shadows, by which nodes divide their work: leases, claims, cursors. Keys are relative to
 * `path`. A call may be sent again after a lost answer. A change must therefore guard itself, and one that was
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
