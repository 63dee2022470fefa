import type { ChangeRecord, ShadowState } from '../document/shadow-document.js';
import type { Position } from './position.js';

/** Names one shadow. `name` is `null` for the classic one. Names are already checked against the AWS alphabets. */
export interface ShadowKey {
  readonly tenant: string;
  readonly thing: string;
  readonly name: string | null;
}

/** One record as it is kept: the state, what changed it last, and where in the history of the store that happened. */
export interface ShadowRecord {
  readonly key: ShadowKey;
  readonly state: ShadowState;
  readonly change: ChangeRecord;
  readonly position: Position;
  /** Bytes that it takes in the store, for those who keep records in memory; absent where the store keeps no bytes. */
  readonly bytes?: number;
}

/**
 * A claim that a write depends on. The write counts only while the claim's key still has this revision: whoever takes
 * the claim over, or takes it anew under another lease, changes it.
 */
export interface Fence {
  /** Key below the cluster's own keys (store/cluster-keys.ts). */
  readonly claim: string;
  /** Revision of the store at which the claim was put. */
  readonly revision: number;
}

export interface RequestOptions {
  /** Milliseconds of the monotonic clock after which the caller no longer waits. */
  readonly deadline: number;
  /**
   * Once it is aborted, a write makes no new attempt, neither the same one again nor one computed on a fresh value: it
   * ends with `fenced`, or with `outcomeUnknown` when an earlier attempt may have been applied. Reads ignore it.
   */
  readonly signal?: AbortSignal;
  /** The claim that a write depends on: the storage itself compares it as it applies the write. Reads ignore it. */
  readonly fence?: Fence;
}

/** Result of a change: the next state, and its record. */
export interface Changed {
  readonly state: ShadowState;
  readonly change: ChangeRecord;
}

/**
 * A change of one shadow. It must be pure: it runs again when another writer was faster, and it may first run on a
 * guess. It refuses by throwing a ServiceError; a refusal computed from a guess is repeated on fresh data before it is
 * final. It is handed a tombstone as long as the storage has it.
 */
export type Change = (current: ShadowState | null) => Changed;

/** A condition of the caller on the present state, beside the `version` of the request. It refuses by throwing. */
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
}

export interface NamePage {
  readonly names: readonly string[];
  readonly next?: string;
}

/** Everything the service may ask of storage. Implementations: etcd, memory. One suite tests both. */
export interface ShadowStore {
  /**
   * The record, tombstones included, or null. Linearizable.
   * @throws ServiceError storageUnavailable
   */
  get(key: ShadowKey, options: RequestOptions): Promise<ShadowRecord | null>;

  /**
   * Applies `change` exactly once and returns what was committed. Changes of one shadow run in the order in which they
   * were handed over.
   * @throws ServiceError what `change` throws; storageUnavailable when nothing was written; outcomeUnknown when it may
   * have been; storageFull; tooManyRequests when the queue of the shadow is full; fenced, with nothing written, when
   * the fence does not hold or the signal is aborted
   */
  update(key: ShadowKey, change: Change, options: RequestOptions): Promise<ShadowRecord>;

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

  /** Ends all work; pending calls fail with `draining`, or `outcomeUnknown` for what has been sent. No errors. */
  close(): Promise<void>;
}

/** Injection token of the ShadowStore. */
export const SHADOW_STORE = Symbol('ShadowStore');
