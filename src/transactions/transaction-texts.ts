import { snapshotText } from '../document/message-texts.js';
import { isTombstone, type ShadowState } from '../document/shadow-document.js';
import { StoredDocument } from '../document/stored-document.js';
import type { Answer } from '../idempotency/kept-answer.js';
import type { OperationRefused } from './operation-refused.js';
import {
  placeName,
  type ShadowPlace,
  type TransactionOperation,
  type TransactionRequest,
} from './transaction-request.js';
import type { Committed } from './update.js';

/** Bytes of the documents of one answer. It may wait for a client that does not read. */
const MAX_DOCUMENTS = 2 * 1024 * 1024;
/** Bytes of them in an answer that is kept in etcd for a day. */
const MAX_KEPT_DOCUMENTS = 32 * 1024;

/** The answer to a transaction, put together from the texts of its documents. No errors. */
export function committedText({ position, shadows, records }: Committed, request: TransactionRequest): string {
  const states = records.map((record) => record?.state ?? null);
  return `${HEAD}${position.revision}${tailOf(shadows, states, request, MAX_DOCUMENTS)}`;
}

/**
 * The same answer before its commit, to be kept, with less of its documents.
 * @param states of the shadows, as the transaction leaves them. No errors.
 */
export function transactionAnswer(
  shadows: readonly ShadowPlace[],
  states: readonly (ShadowState | null)[],
  request: TransactionRequest,
): Answer {
  const tail = tailOf(shadows, states, request, MAX_KEPT_DOCUMENTS);
  return { status: 200, headers: {}, body: HEAD + tail, revisionAt: HEAD.length };
}

/** The revision comes after it. */
const HEAD = '{"revision":';

function tailOf(
  shadows: readonly ShadowPlace[],
  states: readonly (ShadowState | null)[],
  { operations, clientToken }: TransactionRequest,
  mostBytes: number,
): string {
  const texts = new StateTexts(mostBytes);
  const byName = new Map(shadows.map((place, i) => [placeName(place), states[i] ?? null]));
  const results = operations.map((operation) => {
    const name = placeName(operation);
    const from = operation.op === 'promote' ? `,"from":${fromText(operation, byName)}` : '';
    return `{"op":"${operation.op}",${namesText(operation)},${texts.next(name, byName.get(name)!)}${from}}`;
  });
  const token = clientToken === undefined ? '' : `,"clientToken":${JSON.stringify(clientToken)}`;
  return `,"results":[${results.join(',')}]${token}}`;
}

const namesText = ({ thing, shadow }: Pick<TransactionOperation, 'thing' | 'shadow'>): string =>
  `"thing":${JSON.stringify(thing)},"shadow":${JSON.stringify(shadow)}`;

/** The members that show the shadows of one answer: each document once, and no more of them than there is room for. */
class StateTexts {
  readonly #shown = new Set<string>();

  constructor(private bytesLeft: number) {}

  next(name: string, state: ShadowState | null): string {
    if (state === null) return '"version":null';
    if (isTombstone(state)) return `"version":${state.version},"deleted":true`;
    if (this.#shown.has(name)) return `"version":${state.version},"omitted":"shown-before"`;
    // Without its braces: members beside others.
    const text = snapshotText(state).slice(1, -1);
    const bytes = Buffer.byteLength(text);
    if (bytes > this.bytesLeft) return `"version":${state.version},"omitted":"too-large"`;
    this.bytesLeft -= bytes;
    this.#shown.add(name);
    return text;
  }
}

function fromText(
  { from }: Extract<TransactionOperation, { op: 'promote' }>,
  byName: ReadonlyMap<string, ShadowState | null>,
): string {
  return `{"shadow":${JSON.stringify(from.shadow)},"version":${byName.get(placeName(from))!.version}}`;
}

/** What the problem of a refused transaction has beside its text. No errors. */
export function refusedMembers({ operation, on }: OperationRefused, mayRead: boolean): Record<string, unknown> {
  const { thing, shadow, current } = on;
  const where = { operation, thing, shadow };
  if (!mayRead || current === undefined) return where;
  if (current === null || isTombstone(current)) return { ...where, current: null };
  const { version, desired, reported, metadata } = StoredDocument.of(current);
  const state = { ...(desired && { desired }), ...(reported && { reported }) };
  return { ...where, current: { state, metadata, version } };
}
