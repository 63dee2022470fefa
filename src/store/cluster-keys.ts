export interface Guard {
  readonly key: string;
  /** What the key must hold; null: it must not exist. */
  readonly value: string | null;
}

export interface Put {
  readonly key: string;
  readonly value: string;
  /** The key goes with this lease. */
  readonly lease?: string;
}

export interface KeyChange {
  readonly guards: readonly Guard[];
  readonly puts?: readonly Put[];
  readonly deletes?: readonly string[];
}

/**
 * The few small keys by which nodes agree who does what, apart from the shadows: leases, claims, cursors. Keys are
 * relative to the service's own place in etcd. Every call may be sent again after a lost answer, so a change must guard
 * itself, and one that did go through may be told as `false`.
 */
export interface ClusterKeys {
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
   * The keys that start with `prefix`, as of now (linearizable), with their values.
   * @throws ServiceError storageUnavailable, draining
   */
  list(prefix: string): Promise<ReadonlyMap<string, string>>;
  /**
   * All or nothing.
   * @returns false when a guard does not hold, or a lease of a put has ended
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  commit(change: KeyChange): Promise<boolean>;
  /** The same for the keys below `path`, which ends with a slash. No errors. */
  under(path: string): ClusterKeys;
}

/** Injection token of the ClusterKeys. */
export const CLUSTER_KEYS = Symbol('ClusterKeys');
