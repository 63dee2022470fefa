import type { GuardedPut, PutResult, RawRecord } from '../nested-txn.js';
import { BadMessage, ProtoReader } from './proto-reader.js';

/** Where and when the store answered. Headers of nested answers are zero: only the outer one counts (ETCD 1). */
export interface AnswerHeader {
  /** Decimal, as the ids use all 64 bits. */
  readonly cluster_id: string;
  readonly revision: number;
}

const WON: PutResult = { won: true };

/** Fields of etcd's messages: the number of the field and its wire type (rpc.proto, kv.proto of etcd). */
const TXN = { header: 0x0a, succeeded: 0x10, responses: 0x1a };
const HEADER = { clusterId: 0x08, revision: 0x18 };
const OPERATION = { range: 0x0a, put: 0x12, deleteRange: 0x1a, txn: 0x22 };
const RANGE = { kvs: 0x12 };
const KV = { modRevision: 0x18, value: 0x2a };

/** One for all answers: an answer is read in one go. */
const reader = new ProtoReader();

/**
 * Results in the order of the writes, and the one header that counts. Values are views of `answer`.
 * @param puts writes of the request
 * @param turns how many keys the outer Txn compared
 * @returns `moved` unless all of these held: no write was made, and it has each of them, or null, in their order
 * @throws BadMessage when it is not the answer to them
 */
export function decodeNestedTxn(
  answer: Buffer,
  puts: readonly Pick<GuardedPut, 'fence'>[],
  turns = 0,
): {
  readonly header: AnswerHeader;
  readonly results: readonly PutResult[];
  readonly moved: readonly (RawRecord | null)[] | null;
} {
  const results: PutResult[] = [];
  const found: (RawRecord | null)[] = [];
  const { header, succeeded } = decodeTxn(answer, (kind) => {
    if (kind === OPERATION.range && found.length < turns) return void found.push(readRange());
    if (kind !== OPERATION.txn) throw new BadMessage('the answer to a write is not one of a Txn');
    if (results.length === puts.length) throw new BadMessage(`etcd answered more than ${puts.length} writes`);
    results.push(readResult(puts[results.length]!.fence?.revision));
  });
  // Without compares the outer Txn has no other branch.
  const moved = turns > 0 && !succeeded ? found : null;
  if (found.length !== (moved === null ? 0 : turns))
    throw new BadMessage(`etcd answered ${found.length} compared keys`);
  if (results.length !== (moved === null ? puts.length : 0)) {
    throw new BadMessage(`etcd answered ${results.length} of ${puts.length} writes`);
  }
  return { header, results, moved };
}

/**
 * One record or null for each range of the request, in their order. Values are views of `answer`.
 * @param count ranges of the request
 * @throws BadMessage when it is not the answer to them
 */
export function decodeReads(
  answer: Buffer,
  count: number,
): { readonly header: AnswerHeader; readonly records: readonly (RawRecord | null)[] } {
  const records: (RawRecord | null)[] = [];
  const { header } = decodeTxn(answer, (kind) => {
    if (kind !== OPERATION.range) throw new BadMessage('the answer to a read is not one of a range');
    if (records.length === count) throw new BadMessage(`etcd answered more than ${count} reads`);
    records.push(readRange());
  });
  if (records.length !== count) throw new BadMessage(`etcd answered ${records.length} of ${count} reads`);
  return { header, records };
}

/**
 * Whether all guards of a flat Txn held; if not, one record or null for each of its keys, in their order, as they were at
 * the revision of the header. Values are views of `answer`.
 * @param count keys of the request
 * @throws BadMessage when it is not the answer to them
 */
export function decodeFlatTxn(
  answer: Buffer,
  count: number,
): { readonly header: AnswerHeader; readonly won: boolean; readonly records: readonly (RawRecord | null)[] } {
  const records: (RawRecord | null)[] = [];
  const { header, succeeded } = decodeTxn(answer, (kind) => {
    if (kind === OPERATION.range) records.push(readRange());
    else if (kind !== OPERATION.put) throw new BadMessage('an answer of a flat Txn is neither of a put nor of a range');
  });
  if (records.length !== (succeeded ? 0 : count)) {
    throw new BadMessage(`etcd answered ${records.length} of ${count} keys`);
  }
  return { header, won: succeeded, records };
}

/** Reads an outer Txn; `take` reads one of its answers, of the kind that its tag names. */
function decodeTxn(
  answer: Buffer,
  take: (kind: number) => void,
): { readonly header: AnswerHeader; readonly succeeded: boolean } {
  let header: AnswerHeader | null = null;
  let succeeded = false;
  reader.read(answer);
  while (reader.more) {
    const tag = reader.tag();
    if (tag === TXN.header) header = readHeader();
    else if (tag === TXN.succeeded) succeeded = reader.varint() !== 0;
    else if (tag !== TXN.responses) reader.skip(tag);
    else {
      const outer = reader.enter();
      const kind = seekKind();
      if (kind === 0) throw new BadMessage('an empty answer to an operation');
      const end = reader.enter();
      take(kind);
      reader.leave(end);
      reader.leave(outer);
    }
  }
  if (!header) throw new BadMessage('the answer has no header');
  return { header, succeeded };
}

/** Goes to the content of an answer to one operation, whose tag is the result; 0: it has none. */
function seekKind(): number {
  while (reader.more) {
    const tag = reader.tag();
    if (tag === OPERATION.range || tag === OPERATION.put || tag === OPERATION.deleteRange || tag === OPERATION.txn) {
      return tag;
    }
    reader.skip(tag);
  }
  return 0;
}

function readHeader(): AnswerHeader {
  const outer = reader.enter();
  let cluster_id = '0';
  let revision = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === HEADER.clusterId) cluster_id = reader.uint64();
    else if (tag === HEADER.revision) revision = reader.varint();
    else reader.skip(tag);
  }
  reader.leave(outer);
  return { cluster_id, revision };
}

/**
 * The fields may come in any order, so the branch is known only at the end.
 * @param fence revision that the fence must have had; undefined: the write had none
 */
function readResult(fence: number | undefined): PutResult {
  let won = false;
  let count = 0;
  let current: RawRecord | null = null;
  let claim: RawRecord | null = null;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === TXN.succeeded) won = reader.varint() !== 0;
    else if (tag !== TXN.responses || won) reader.skip(tag);
    else {
      const found = readFound();
      if (count === 0) current = found;
      else if (count === 1) claim = found;
      count++;
    }
  }
  if (won) return WON;
  return { won: false, current, fenced: fence !== undefined && (claim?.revision ?? 0) !== fence };
}

/** The record in an answer to one operation; null too when that was no range. */
function readFound(): RawRecord | null {
  const outer = reader.enter();
  let found: RawRecord | null = null;
  if (seekKind() === OPERATION.range) {
    const end = reader.enter();
    found = readRange();
    reader.leave(end);
  }
  reader.leave(outer);
  return found;
}

function readRange(): RawRecord | null {
  let found: RawRecord | null = null;
  while (reader.more) {
    const tag = reader.tag();
    if (tag !== RANGE.kvs || found) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    found = readRecord();
    reader.leave(outer);
  }
  return found;
}

function readRecord(): RawRecord {
  let value: Buffer | null = null;
  let revision = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag === KV.value) value = reader.bytes();
    else if (tag === KV.modRevision) revision = reader.varint();
    else reader.skip(tag);
  }
  return { value: value ?? EMPTY, revision };
}

const EMPTY = Buffer.alloc(0);
