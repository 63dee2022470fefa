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

/** The answer to a transaction, put together from the texts of its documents. No errors. */
export function committedText({ position, shadows, records }: Committed, request: TransactionRequest): string {
  const states = records.map((record) => record?.state ?? null);
  return `${HEAD}${position.revision}${tailOf(shadows, states, request)}`;
}

/**
 * The same answer before its commit, to be kept.
 * @param states of the shadows, as the transaction leaves them. No errors.
 */
export function transactionAnswer(
  shadows: readonly ShadowPlace[],
  states: readonly (ShadowState | null)[],
  request: TransactionRequest,
): Answer {
  return { status: 200, headers: {}, body: HEAD + tailOf(shadows, states, request), revisionAt: HEAD.length };
}

/** The revision comes after it. */
const HEAD = '{"revision":';

function tailOf(
  shadows: readonly ShadowPlace[],
  states: readonly (ShadowState | null)[],
  { operations, clientToken }: TransactionRequest,
): string {
  const byName = new Map(shadows.map((place, i) => [placeName(place), states[i] ?? null]));
  const results = operations.map((operation) => {
    const from = operation.op === 'promote' ? `,"from":${fromText(operation, byName)}` : '';
    return `{"op":"${operation.op}",${namesText(operation)},${stateText(byName.get(placeName(operation))!)}${from}}`;
  });
  const token = clientToken === undefined ? '' : `,"clientToken":${JSON.stringify(clientToken)}`;
  return `,"results":[${results.join(',')}]${token}}`;
}

const namesText = ({ thing, shadow }: Pick<TransactionOperation, 'thing' | 'shadow'>): string =>
  `"thing":${JSON.stringify(thing)},"shadow":${JSON.stringify(shadow)}`;

function stateText(state: ShadowState | null): string {
  if (state === null) return '"version":null';
  // Without its braces: members beside others.
  return isTombstone(state) ? `"version":${state.version},"deleted":true` : snapshotText(state).slice(1, -1);
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
