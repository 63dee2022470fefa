import { snapshotText } from '../document/message-texts.js';
import { isTombstone } from '../document/shadow-document.js';
import { StoredDocument } from '../document/stored-document.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { OperationRefused } from './operation-refused.js';
import { placeName, type TransactionOperation, type TransactionRequest } from './transaction-request.js';
import type { Committed } from './update.js';

/** The answer to a transaction, put together from the texts of its documents. No errors. */
export function committedText({ position, shadows, records }: Committed, request: TransactionRequest): string {
  const byName = new Map(shadows.map((place, i) => [placeName(place), records[i] ?? null]));
  const results = request.operations.map((operation) => {
    const record = byName.get(placeName(operation))!;
    const from = operation.op === 'promote' ? `,"from":${fromText(operation, byName)}` : '';
    return `{"op":"${operation.op}",${namesText(operation)},${recordText(record)}${from}}`;
  });
  const token = request.clientToken === undefined ? '' : `,"clientToken":${JSON.stringify(request.clientToken)}`;
  return `{"revision":${position.revision},"results":[${results.join(',')}]${token}}`;
}

const namesText = ({ thing, shadow }: Pick<TransactionOperation, 'thing' | 'shadow'>): string =>
  `"thing":${JSON.stringify(thing)},"shadow":${JSON.stringify(shadow)}`;

function recordText(record: ShadowRecord | null): string {
  if (record === null) return '"version":null';
  const { state } = record;
  // Without its braces: members beside others.
  return isTombstone(state) ? `"version":${state.version},"deleted":true` : snapshotText(state).slice(1, -1);
}

function fromText(
  { from }: Extract<TransactionOperation, { op: 'promote' }>,
  byName: ReadonlyMap<string, ShadowRecord | null>,
): string {
  return `{"shadow":${JSON.stringify(from.shadow)},"version":${byName.get(placeName(from))!.state.version}}`;
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
