import type { FencedBy, FlatKey, GuardedPut, KeyRead } from '../nested-txn.js';
import { fieldSize, int64, ProtoWriter, varintSize } from './proto-writer.js';

/** Where a Txn is asked. */
export const TXN_PATH = '/etcdserverpb.KV/Txn';

/** Fields of etcd's messages: the number of the field and its wire type (rpc.proto of etcd). */
const TXN = { compare: 0x0a, success: 0x12, failure: 0x1a };
const OPERATION = { range: 0x0a, put: 0x12, deleteRange: 0x1a, txn: 0x22 };
const COMPARE = { target: 0x10, key: 0x1a, modRevision: 0x30 };
/** Of a put; a deletion has its key alone. */
const CHANGE = { key: 0x0a, value: 0x12, lease: 0x18 };
const RANGE = { key: 0x0a, revision: 0x20 };
const TARGET_MOD = 2;
const TARGET_BYTES = 2;

const NO_TURNS: readonly FencedBy[] = [];
/** Tags and lengths of one nested Txn, with a guard and a lease. */
const OVERHEAD_BYTES = 64;

/** Bytes of the write in a request; never less than it takes unless a key has letters outside ASCII. No errors. */
export function sizeOf({ key, value, fence }: GuardedPut): number {
  const bytes = value === null ? 0 : bytesOf(value);
  return bytes + 3 * key.length + OVERHEAD_BYTES + (fence ? 2 * fence.key.length + OVERHEAD_BYTES : 0);
}

/**
 * Many CAS writes as one Txn: one raft entry and one fsync for all, each with its own guard. etcd takes at most 128
 * operations, the larger of compares and branch of each level added up: 127 writes, or 126 with a fence (ETCD 1).
 * @param sizeBytes about the bytes of all writes (`sizeOf`)
 * @param turns what the outer Txn compares, no more than there are writes: unless all hold, none of the writes is made,
 * and they are read
 * @returns a gRPC message with its head
 * @throws SyntaxError when a lease is no number
 */
export function encodeNestedTxn(
  puts: readonly GuardedPut[],
  sizeBytes: number,
  turns: readonly FencedBy[] = NO_TURNS,
): Buffer {
  const writer = new ProtoWriter(sizeBytes);
  for (const { key, revision } of turns) {
    const keyBytes = Buffer.byteLength(key);
    writeFound(writer, writeUnmoved(writer, key, keyBytes, revision), keyBytes);
  }
  for (const put of puts) writeGuarded(writer, put);
  return writer.framed();
}

/** Bytes of the key in a request; never less than it takes unless a key has letters outside ASCII. No errors. */
export function sizeOfFlat({ key, put }: FlatKey): number {
  return 3 * key.length + OVERHEAD_BYTES + (put === null ? 0 : Buffer.byteLength(put.value));
}

/**
 * Many keys changed as one: the puts are made when all guards hold, else all keys are read, at one revision. The reads
 * make it linearizable even without a put (ETCD 3.1). Keys must be distinct, at most 128.
 * @param sizeBytes about the bytes of all keys (`sizeOfFlat`)
 * @returns a gRPC message with its head
 * @throws SyntaxError when a lease is no number
 */
export function encodeFlatTxn(keys: readonly FlatKey[], sizeBytes: number): Buffer {
  const writer = new ProtoWriter(sizeBytes);
  for (const { key, guard, put } of keys) {
    const keyBytes = Buffer.byteLength(key);
    const at = writeUnmoved(writer, key, keyBytes, guard);
    if (put !== null) {
      const valueBytes = Buffer.byteLength(put.value);
      const leaseId = put.lease === undefined ? null : int64(put.lease);
      const change = changeSize(keyBytes, valueBytes, leaseId);
      writer.begin(TXN.success, fieldSize(change));
      writer.begin(OPERATION.put, change);
      writer.again(CHANGE.key, at, keyBytes);
      writer.bytes(CHANGE.value, put.value, valueBytes);
      if (leaseId) writer.encoded(CHANGE.lease, leaseId);
    }
    writeFound(writer, at, keyBytes);
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
  for (const { key, revision } of reads) {
    const keyBytes = Buffer.byteLength(key);
    const range = fieldSize(keyBytes) + (revision === null ? 0 : 1 + varintSize(revision));
    writer.begin(TXN.success, fieldSize(range));
    writer.begin(OPERATION.range, range);
    writer.bytes(RANGE.key, key, keyBytes);
    if (revision !== null) writer.number(RANGE.revision, revision);
  }
  return writer.framed();
}

/** A write names its key three times: it is written once, and copied. */
function writeGuarded(writer: ProtoWriter, { key, guard, value, lease, fence }: GuardedPut): void {
  const keyBytes = Buffer.byteLength(key);
  const valueBytes = value === null ? 0 : bytesOf(value);
  const leaseId = lease === undefined ? null : int64(lease);
  const change = changeSize(keyBytes, value === null ? null : valueBytes, leaseId);
  const fenceBytes = fence ? Buffer.byteLength(fence.key) : 0;
  const fenceSize = fence ? fieldSize(unmovedSize(fenceBytes, fence.revision)) + foundSize(fenceBytes) : 0;
  const txn = fieldSize(unmovedSize(keyBytes, guard)) + fieldSize(fieldSize(change)) + foundSize(keyBytes) + fenceSize;
  writer.begin(TXN.success, fieldSize(txn));
  writer.begin(OPERATION.txn, txn);
  const keyAt = writeUnmoved(writer, key, keyBytes, guard);
  const fenceAt = fence ? writeUnmoved(writer, fence.key, fenceBytes, fence.revision) : 0;
  writer.begin(TXN.success, fieldSize(change));
  writer.begin(value === null ? OPERATION.deleteRange : OPERATION.put, change);
  writer.again(CHANGE.key, keyAt, keyBytes);
  if (value !== null) {
    writer.bytes(CHANGE.value, value, valueBytes);
    if (leaseId) writer.encoded(CHANGE.lease, leaseId);
  }
  // The present value: a write that lost needs no read before its next attempt. The fence shows why it lost.
  writeFound(writer, keyAt, keyBytes);
  if (fence) writeFound(writer, fenceAt, fenceBytes);
}

function bytesOf(value: Buffer | string): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length;
}

/** @param valueBytes null: the key is deleted */
function changeSize(keyBytes: number, valueBytes: number | null, leaseId: Buffer | null): number {
  if (valueBytes === null) return fieldSize(keyBytes);
  return fieldSize(keyBytes) + fieldSize(valueBytes) + (leaseId ? 1 + leaseId.length : 0);
}

/** Bytes of a compare without its beginning. */
function unmovedSize(keyBytes: number, revision: number): number {
  return TARGET_BYTES + fieldSize(keyBytes) + 1 + varintSize(revision);
}

/** Returns the place of the key. */
function writeUnmoved(writer: ProtoWriter, key: string, keyBytes: number, revision: number): number {
  writer.begin(TXN.compare, unmovedSize(keyBytes, revision));
  writer.number(COMPARE.target, TARGET_MOD);
  const at = writer.bytes(COMPARE.key, key, keyBytes);
  // Written for 0 too: a compare without a number is not the same to every server.
  writer.number(COMPARE.modRevision, revision);
  return at;
}

/** Bytes of a range in the branch of failure. */
function foundSize(keyBytes: number): number {
  return fieldSize(fieldSize(fieldSize(keyBytes)));
}

function writeFound(writer: ProtoWriter, keyAt: number, keyBytes: number): void {
  writer.begin(TXN.failure, fieldSize(fieldSize(keyBytes)));
  writer.begin(OPERATION.range, fieldSize(keyBytes));
  writer.again(RANGE.key, keyAt, keyBytes);
}
