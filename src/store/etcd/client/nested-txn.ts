import type { IKeyValue } from 'etcd3';

/** A value of etcd and the revision that wrote it. */
export interface RawRecord {
  /** May be a view of a whole answer: whoever keeps it copies it. */
  readonly value: Buffer;
  readonly revision: number;
}

/** A key that must still have the revision at which it was put; 0: it must not exist. */
export interface FencedBy {
  readonly key: string;
  readonly revision: number;
}

/** One write of a group. Keys within a group are distinct: otherwise etcd rejects the whole group (ETCD 1). */
export interface GuardedPut {
  readonly key: string;
  /** mod_revision that the key must have; 0: it must not exist. */
  readonly guard: number;
  /** A text is stored in UTF-8; null deletes the key. */
  readonly value: Buffer | string | null;
  /** Id of the lease of the put. */
  readonly lease?: string | undefined;
  /** A second guard; many writes of a group may name the same key. */
  readonly fence?: FencedBy | undefined;
}

/** `fenced`: the fence did not hold, whatever the guard says. */
export type PutResult =
  { readonly won: true } | { readonly won: false; readonly current: RawRecord | null; readonly fenced: boolean };

/** One key of a flat Txn, in which all guards must hold. */
export interface FlatKey {
  readonly key: string;
  /** mod_revision that the key must have; 0: it must not exist. */
  readonly guard: number;
  /** null: the key is only compared. */
  readonly put: { readonly value: string; readonly lease?: string | undefined } | null;
}

/** One key to read. */
export interface KeyRead {
  readonly key: string;
  /** As of this revision; null: now. */
  readonly revision: number | null;
}

/** The result of a range of one key; null: the key does not exist. */
export function toRawRecord(kv: IKeyValue | undefined): RawRecord | null {
  return kv ? { value: kv.value, revision: Number(kv.mod_revision) } : null;
}
