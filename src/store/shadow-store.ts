import type { Operation } from './operation.js';
import type { ChangeRecord, ShadowState } from '../document/shadow-document.js';
import type { RequestTrace } from '../telemetry/request-trace.js';
import type { Position } from './position.js';
import type { Transacted, Transaction } from './transaction.js';

/** Names one shadow. `name` is `null` for the classic one. Names are already checked against the AWS alphabets. */
export interface ShadowKey {
  readonly tenant: string;
  readonly thing: string;
  readonly name: string | null;
}

/** One stored record: the state, its last change, and the position of that change in the history of the store. */
export interface ShadowRecord {
  readonly key: ShadowKey;
  readonly state: ShadowState;
  readonly change: ChangeRecord;
  readonly position: Position;
  /**
   * Bytes of the record in the store, for caches and queues with a bound in bytes; absent when the store keeps no
   * bytes.
   */
  readonly bytes?: number;
  /**
   * Of a record that `get` has read: the revision of the store at which it was read. Every change up to it that concerns
   * the shadow is in the record.
   */
  readonly readAt?: number | undefined;
}

/** What one shadow was at one position: null where it has never been. */
export interface Reading {
  readonly record: ShadowRecord | null;
  /** The position that the record was read at, not that of its last change. */
  readonly position: Position;
}

/**
 * A claim that a write depends on. The write counts only while the claim's key still has this revision: a takeover, or
 * a new claim under another lease, changes it.
 */
export interface Fence {
  /** Key below the cluster's own keys (store/cluster-keys.ts). */
  readonly claim: string;
  /** Revision of the store at which the claim was put; 0: it must not exist. */
  readonly revision: number;
  /**
   * Is asked when the claim does not have that revision: the one with which the write of one shadow is tried again.
   * Absent: the write ends with `fenced`, as every transaction of several shadows does.
   * @param attempt from 1
   * @throws ServiceError with which the write ends instead, with nothing written
   */
  readonly again?: ((attempt: number) => Promise<number>) | undefined;
}

export interface RequestOptions {
  /** Milliseconds of the monotonic clock after which the caller no longer waits. */
  readonly deadline: number;
  /**
   * After its abort a write makes no new attempt, neither a repetition nor one computed on a fresh value. It ends with
   * `fenced`, or with `outcomeUnknown` when an earlier attempt may have been applied. Reads ignore it.
   */
  readonly signal?: AbortSignal | undefined;
  /** The claim that a write depends on: the storage itself compares it as it applies the write. Reads ignore it. */
  readonly fence?: Fence | undefined;
  /** Notes the times of the request; absent, or null: nobody wants to know them. */
  readonly trace?: RequestTrace | null | undefined;
}

/** Result of a change: the next state, and its record. */
export interface Changed {
  readonly state: ShadowState;
  readonly change: ChangeRecord;
}

/**
 * A change of one shadow. It must be pure: it runs again when another writer was faster, and it may first run on a
 * guess. It rejects by throwing a ServiceError; an error computed from a guess is checked on fresh data before it is
 * final. `current` is a tombstone as long as the storage has one.
 */
export type Change = (current: ShadowState | null) => Changed;

/** A condition of the caller on the present state, beside the `version` of the request. It rejects by throwing. */
export type Precondition = (current: ShadowState | null) => void;

/** A thing in a list, with the names of its shadows. */
export interface ListedThing {
  readonly thing: string;
  /** At most MAX_LISTED_SHADOWS (store/page-token.ts), in byte order; `null` is the classic one and comes first. */
  readonly shadows: readonly (string | null)[];
  /** Present when the thing has more shadows; listNames has them all. */
  readonly truncated?: true;
}

export interface ThingPage {
  readonly things: readonly ListedThing[];
  /** Opaque; absent on the last page. */
  readonly next?: string;
  /** Revision of the store that the page is at least as new as: the one of its first read. */
  readonly revision: number;
}

export interface NamePage {
  readonly names: readonly string[];
  readonly next?: string;
  /** As in ThingPage. */
  readonly revision: number;
}

/** Everything the service may ask of storage. Implementations: etcd, memory. One suite tests both. */
export interface ShadowStore {
  /**
   * The record, tombstones included, or null. Linearizable.
   * @throws ServiceError storageUnavailable
   */
  get(key: ShadowKey, options: RequestOptions): Promise<ShadowRecord | null>;

  /**
   * As `get`, with the position that was read.
   * @throws ServiceError storageUnavailable
   */
  read(key: ShadowKey, options: RequestOptions): Promise<Reading>;

  /**
   * The record as it was at a revision of the present history; the position of the answer has that revision.
   * @param revision 1 or more
   * @throws RevisionGone when the history was compacted; ServiceError revisionAhead when the store has not reached it;
   * storageUnavailable
   */
  readAsOf(key: ShadowKey, revision: number, options: RequestOptions): Promise<Reading>;

  /**
   * Applies `change` exactly once and returns the committed record. Changes of one shadow run in the order of their
   * calls.
   * @throws ServiceError as `change`; storageUnavailable when nothing was written; outcomeUnknown when it may have been
   * written; storageFull; tooManyRequests when the queue of the shadow is full; fenced, with nothing written, when the
   * fence does not hold or the signal is aborted
   */
  update(key: ShadowKey, change: Change, options: RequestOptions): Promise<ShadowRecord>;

  /** As `update`, settled by a plain call instead of a promise. Changes of one shadow run in the order of both calls. */
  submit(operation: Operation): void;

  /**
   * Changes several shadows as one: all of them at one revision, or none. It takes its turn among the changes of each of
   * them.
   * @throws ServiceError as `change` and as `update`; tooManyRequests, too, when others were faster in every attempt;
   * tooLarge when all records together are. GuardFailed, GuardedLeaseGone. RangeError for a transaction that breaks its
   * own contract
   */
  transact(transaction: Transaction, options: RequestOptions): Promise<Transacted>;

  /**
   * Names of the named shadows of a thing in byte order, deleted ones left out. A page may be short.
   * @param limit 1 to 100
   * @param after opaque `next` of the page before
   * @throws ServiceError invalidRequest for a bad `after`; storageUnavailable
   */
  listNames(
    tenant: string,
    thing: string,
    limit: number,
    after: string | undefined,
    options: RequestOptions,
  ): Promise<NamePage>;

  /**
   * Things that have a shadow, in an order that is stable but not alphabetical. A page may be short.
   * @param limit 1 to 100
   * @param after opaque `next` of the page before
   * @throws ServiceError invalidRequest for a bad `after`; storageUnavailable
   */
  listThings(tenant: string, limit: number, after: string | undefined, options: RequestOptions): Promise<ThingPage>;

  /**
   * The record as it was just before `position`, or null if there was none (documents need it).
   * @throws ServiceError cursorGone when the history was compacted
   */
  getBefore(key: ShadowKey, position: Position, options: RequestOptions): Promise<ShadowRecord | null>;

  /**
   * Ends all work; pending calls fail with `draining`, or with `outcomeUnknown` when a write has been sent. No errors.
   */
  close(): Promise<void>;
}

/** Injection token of the ShadowStore. */
export const SHADOW_STORE = Symbol('ShadowStore');
