import type { ICompare, IKeyValue, IRequestOp, IResponseHeader, ITxnRequest, ITxnResponse } from 'etcd3';

/** A value of etcd and the revision that wrote it. */
export interface RawRecord {
  readonly value: Buffer;
  readonly revision: number;
}

/** A key that must still have the revision at which it was put. */
export interface FencedBy {
  readonly key: string;
  readonly revision: number;
}

/** One write of a group. Keys within a group are distinct: otherwise etcd rejects the whole group (ETCD 1). */
export interface GuardedPut {
  readonly key: string;
  /** mod_revision that the key must have; 0: it must not exist. */
  readonly guard: number;
  /** null deletes the key. */
  readonly value: Buffer | null;
  /** Id of the lease of the put. */
  readonly lease?: string;
  /** A second guard; many writes of a group may name the same key. */
  readonly fence?: FencedBy;
}

/** `fenced`: the fence did not hold, whatever the guard says. */
export type PutResult =
  { readonly won: true } | { readonly won: false; readonly current: RawRecord | null; readonly fenced: boolean };

function unmoved(key: Buffer, revision: number): ICompare {
  return { result: 'Equal', target: 'Mod', key, mod_revision: String(revision) };
}

/** The library's enum types allow numbers or names; its wire format takes names. */
function toNested(put: GuardedPut): IRequestOp {
  const key = Buffer.from(put.key);
  const { value, lease, fence } = put;
  const fenceKey = fence ? [Buffer.from(fence.key)] : [];
  return {
    request_txn: {
      compare: [unmoved(key, put.guard), ...fenceKey.map((each) => unmoved(each, fence!.revision))],
      success: [
        value === null
          ? { request_delete_range: { key } }
          : { request_put: lease === undefined ? { key, value } : { key, value, lease } },
      ],
      // The present value: a write that lost needs no read before its next attempt. The fence shows why it lost.
      failure: [key, ...fenceKey].map((each) => ({ request_range: { key: each } })),
    },
  };
}

/**
 * Many CAS writes as one Txn: one raft entry and one fsync for all, each with its own guard. The outer Txn has no
 * compares. etcd takes at most 128 operations, the larger of compares and branch of each level added up: 127 writes, or
 * 126 with a fence (ETCD 1).
 */
export function buildNestedTxn(puts: readonly GuardedPut[]): ITxnRequest {
  return { success: puts.map(toNested) };
}

/** The result of a range of one key; null: the key does not exist. */
export function toRawRecord(kv: IKeyValue | undefined): RawRecord | null {
  return kv ? { value: kv.value, revision: Number(kv.mod_revision) } : null;
}

/**
 * Results in the order of the writes, and the one header that counts: inner headers are all zero.
 * @param puts writes of the request
 * @throws Error when it is not the number of answers
 */
export function parseNestedTxn(
  response: ITxnResponse,
  puts: readonly Pick<GuardedPut, 'fence'>[],
): { readonly header: IResponseHeader; readonly results: readonly PutResult[] } {
  if (response.responses.length !== puts.length) {
    throw new Error(`etcd answered ${response.responses.length} of ${puts.length} writes`);
  }
  const results = response.responses.map(({ response_txn: inner }, i): PutResult => {
    if (inner.succeeded) return { won: true };
    const [current, claim] = inner.responses.map(({ response_range: { kvs } }) => toRawRecord(kvs[0]));
    const fence = puts[i]!.fence;
    return { won: false, current: current ?? null, fenced: fence !== undefined && claim?.revision !== fence.revision };
  });
  return { header: response.header, results };
}
