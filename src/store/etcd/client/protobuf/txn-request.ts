import type { GuardedPut, KeyRead } from '../nested-txn.js';
import { ProtoWriter } from './proto-writer.js';

/** Where a Txn is asked. */
export const TXN_PATH = '/etcdserverpb.KV/Txn';

/** Fields of etcd's messages: the number of the field and its wire type (rpc.proto of etcd). */
const TXN = { compare: 0x0a, success: 0x12, failure: 0x1a };
const OPERATION = { range: 0x0a, put: 0x12, deleteRange: 0x1a, txn: 0x22 };
const COMPARE = { target: 0x10, key: 0x1a, modRevision: 0x30 };
const PUT = { key: 0x0a, value: 0x12, lease: 0x18 };
const RANGE = { key: 0x0a, revision: 0x20 };
const DELETE_RANGE = { key: 0x0a };
const TARGET_MOD = 2;

/** Tags and lengths of one nested Txn, with a guard and a lease. */
const OVERHEAD_BYTES = 64;

/** Bytes of the write in a request; never less than it takes unless a key has letters outside ASCII. No errors. */
export function sizeOf({ key, value, fence }: GuardedPut): number {
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : (value?.length ?? 0);
  return bytes + 3 * key.length + OVERHEAD_BYTES + (fence ? 2 * fence.key.length + OVERHEAD_BYTES : 0);
}

/**
 * Many CAS writes as one Txn: one raft entry and one fsync for all, each with its own guard. The outer Txn has no
 * compares. etcd takes at most 128 operations, the larger of compares and branch of each level added up: 127 writes, or
 * 126 with a fence (ETCD 1).
 * @param sizeBytes about the bytes of all writes (`sizeOf`)
 * @returns a gRPC message with its head
 * @throws SyntaxError when a lease is no number
 */
export function encodeNestedTxn(puts: readonly GuardedPut[], sizeBytes: number): Buffer {
  const writer = new ProtoWriter(sizeBytes);
  for (let i = puts.length - 1; i >= 0; i--) {
    const end = writer.length;
    writeGuarded(writer, puts[i]!);
    writer.nested(OPERATION.txn, end);
    writer.nested(TXN.success, end);
  }
  return writer.framed();
}

/**
 * Many reads as one Txn, which costs one linearizable read. Its range operations make it linearizable: a member answers a
 * Txn of compares alone from its own state, however old (ETCD 3.1).
 * @returns a gRPC message with its head
 */
export function encodeReads(reads: readonly KeyRead[]): Buffer {
  const writer = new ProtoWriter(reads.length * OVERHEAD_BYTES * 2);
  for (let i = reads.length - 1; i >= 0; i--) {
    const { key, revision } = reads[i]!;
    writeRange(writer, TXN.success, key, revision);
  }
  return writer.framed();
}

/** Backwards, as the writer goes. */
function writeGuarded(writer: ProtoWriter, { key, guard, value, lease, fence }: GuardedPut): void {
  // The present value: a write that lost needs no read before its next attempt. The fence shows why it lost.
  if (fence) writeRange(writer, TXN.failure, fence.key, null);
  writeRange(writer, TXN.failure, key, null);
  writeChange(writer, key, value, lease);
  if (fence) writeUnmoved(writer, fence.key, fence.revision);
  writeUnmoved(writer, key, guard);
}

function writeChange(writer: ProtoWriter, key: string, value: GuardedPut['value'], lease: string | undefined): void {
  const end = writer.length;
  if (value === null) {
    writer.bytes(DELETE_RANGE.key, key);
    writer.nested(OPERATION.deleteRange, end);
  } else {
    if (lease !== undefined) writer.int64(PUT.lease, lease);
    writer.bytes(PUT.value, value);
    writer.bytes(PUT.key, key);
    writer.nested(OPERATION.put, end);
  }
  writer.nested(TXN.success, end);
}

function writeUnmoved(writer: ProtoWriter, key: string, revision: number): void {
  const end = writer.length;
  // Written for 0 too: a compare without a number is not the same to every server.
  writer.number(COMPARE.modRevision, revision);
  writer.bytes(COMPARE.key, key);
  writer.number(COMPARE.target, TARGET_MOD);
  writer.nested(TXN.compare, end);
}

function writeRange(writer: ProtoWriter, branch: number, key: string, revision: number | null): void {
  const end = writer.length;
  if (revision !== null) writer.number(RANGE.revision, revision);
  writer.bytes(RANGE.key, key);
  writer.nested(OPERATION.range, end);
  writer.nested(branch, end);
}
