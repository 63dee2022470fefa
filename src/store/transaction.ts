import type { ShadowState } from '../document/shadow-document.js';
import type { Position } from './position.js';
import type { Changed, ShadowKey, ShadowRecord } from './shadow-store.js';

/** Shadows of one transaction at most: etcd takes 128 guards in one request, and some are kept for other keys. */
export const MAX_MEMBERS = 100;
/** Guarded keys of one transaction at most. */
export const MAX_GUARDED_KEYS = 20;

/**
 * A change of several shadows as one. As Change, it must be pure and rejects by throwing a ServiceError. Both lists are
 * in the order of the keys; null in the result: nothing is written to that shadow, but it must still be as it was read
 * when the others are written.
 */
export type JointChange = (current: readonly (ShadowState | null)[]) => readonly (Changed | null)[];

/** A key beside the shadows that the same commit depends on, and may put. */
export interface GuardedKey {
  /** Key below the cluster's own keys (store/cluster-keys.ts). */
  readonly key: string;
  /** Revision at which the key must have been put last; null: it must not exist. */
  readonly revision: number | null;
  /** What the commit puts there; absent: the key is only compared. */
  readonly put?: GuardedPutOfKey;
}

export interface GuardedPutOfKey {
  /**
   * The value for what the change has made, anew for each attempt. It must be unique to the request: a transaction that
   * writes no shadow is known by it after a lost answer. Must not throw.
   */
  value(made: readonly (Changed | null)[]): string;
  /** The key ends with this lease. */
  readonly lease?: string;
}

/** Several shadows of one tenant, changed all or none, at one revision. */
export interface Transaction {
  /** 1 to MAX_MEMBERS distinct shadows of one tenant. */
  readonly keys: readonly ShadowKey[];
  readonly change: JointChange;
  /** At most MAX_GUARDED_KEYS distinct keys. */
  readonly guarded?: readonly GuardedKey[];
}

export interface Transacted {
  /** Of the commit; when nothing was written, a position at which all shadows were as they were read. */
  readonly position: Position;
  /** In the order of the keys: what was committed, or what the change left alone; null: there is no such shadow. */
  readonly records: readonly (ShadowRecord | null)[];
}

/**
 * A guarded key was not at its revision; nothing was written. It comes before an error of the change: a request that was
 * committed before finds what that commit has put, even if its change would be refused by now.
 */
export class GuardFailed extends Error {
  override readonly name = 'GuardFailed';

  constructor(
    readonly key: string,
    /** The key as it is; null: it does not exist. */
    readonly current: { readonly value: string; readonly revision: number } | null,
  ) {
    super(`the key ${key} is not at the revision that a transaction expects`);
  }
}

/** The lease of a guarded put does not exist, or has ended; nothing was written. */
export class GuardedLeaseGone extends Error {
  override readonly name = 'GuardedLeaseGone';
}

/** @throws RangeError for a transaction that no store takes: a defect of its caller */
export function checkTransaction({ keys, guarded = [] }: Transaction): void {
  if (keys.length < 1 || keys.length > MAX_MEMBERS) throw new RangeError(`${keys.length} shadows in a transaction`);
  if (guarded.length > MAX_GUARDED_KEYS) throw new RangeError(`${guarded.length} guarded keys in a transaction`);
  const tenant = keys[0]!.tenant;
  if (keys.some((key) => key.tenant !== tenant)) throw new RangeError('shadows of several tenants in a transaction');
  const distinct = new Set(keys.map(({ thing, name }) => (name === null ? thing : `${thing}/${name}`)));
  if (distinct.size < keys.length) throw new RangeError('a shadow twice in a transaction');
  if (new Set(guarded.map(({ key }) => key)).size < guarded.length) {
    throw new RangeError('a guarded key twice in a transaction');
  }
}
