import type { IKeyValue, IRequestOp, IResponseHeader, ITxnRequest, ITxnResponse } from 'etcd3';

/** A value of etcd and the revision that wrote it. */
export interface RawRecord {
  readonly value: Buffer;
  readonly revision: number;
}

/** One write of a group. Keys within a group are distinct: etcd refuses the whole of it otherwise (ETCD 1). */
export interface GuardedPut {
  readonly key: string;
  /** mod_revision that the key must have; 0: it must not exist. */
  readonly guard: number;
  readonly value: Buffer;
  /** Id of a lease to put it under. */
  readonly lease?: string;
}

export type PutResult = { readonly won: true } | { readonly won: false; readonly current: RawRecord | null };

/** The library's enum types want numbers or names; names are what its wire format takes. */
function toNested(put: GuardedPut): IRequestOp {
  const key = Buffer.from(put.key);
  const { value, lease } = put;
  return {
    request_txn: {
      compare: [{ result: 'Equal', target: 'Mod', key, mod_revision: String(put.guard) }],
      success: [{ request_put: lease === undefined ? { key, value } : { key, value, lease } }],
      // The present value: whoever lost needs no read before the next attempt.
      failure: [{ request_range: { key } }],
    },
  };
}

/**
 * Many CAS writes as one Txn: one raft entry and one fsync for all, and each decides for itself. The outer Txn has no
 * compares. etcd takes at most 127 (ETCD 1).
 */
export function buildNestedTxn(puts: readonly GuardedPut[]): ITxnRequest {
  return { success: puts.map(toNested) };
}

/** What a range of one key found; null: nothing. */
export function toRawRecord(kv: IKeyValue | undefined): RawRecord | null {
  return kv ? { value: kv.value, revision: Number(kv.mod_revision) } : null;
}

/**
 * Results in the order of the writes, and the one header that counts: inner headers are all zero.
 * @param count writes of the request
 * @throws Error when it is not the number of answers
 */
export function parseNestedTxn(
  response: ITxnResponse,
  count: number,
): { readonly header: IResponseHeader; readonly results: readonly PutResult[] } {
  if (response.responses.length !== count) {
    throw new Error(`etcd answered ${response.responses.length} of ${count} writes`);
  }
  const results = response.responses.map(({ response_txn: inner }): PutResult => {
    if (inner.succeeded) return { won: true };
    return { won: false, current: toRawRecord(inner.responses[0]?.response_range.kvs[0]) };
  });
  return { header: response.header, results };
}
