import { emptyObject, jsonBytes, own } from './json.js';
import type { Limits } from './limits.js';
import { mergeSection } from './merge.js';
import { epochSeconds, mergeMetadata, sectionMetadata } from './metadata.js';
import type { UpdateRequest } from './parse-request.js';
import type { JsonObject, MetadataObject, ShadowDocument, ShadowState, StatePatch } from './shadow-document.js';
import { isTombstone, SECTIONS } from './shadow-document.js';
import { ServiceError } from '../errors/service-error.js';

export interface UpdateContext {
  /** Epoch milliseconds, one reading for the whole update. */
  readonly now: number;
  readonly limits: Limits;
}

type Draft<T> = { -readonly [K in keyof T]: T[K] };

const NOTHING: ShadowDocument = Object.freeze({ version: 0, metadata: Object.freeze({}) });
const NO_MEMBERS = Object.freeze(emptyObject());

/**
 * The whole rule of an update: version check, merge, stamps, size (PROTOCOL 2.2, 2.3, 2.5, 2.7). Pure: it may run again
 * on fresher data. The result shares unchanged parts with `current`, and values with the request.
 * @throws ServiceError versionConflict, tooLarge
 */
export function applyUpdate(
  current: ShadowState | null,
  request: UpdateRequest,
  context: UpdateContext,
): ShadowDocument {
  const stored = storedVersion(current);
  if (request.version !== undefined && request.version !== stored) {
    throw new ServiceError('versionConflict');
  }
  const base = current === null || isTombstone(current) ? NOTHING : current;
  const document = mergeDocument(base, request.state, (stored ?? 0) + 1, epochSeconds(context.now));
  if (documentBytes(document) > context.limits.maxDocumentBytes) {
    throw new ServiceError('tooLarge');
  }
  return document;
}

/**
 * The last version that the shadow has used; null when it has used none. An update that carries a version must carry
 * this one, and the next document gets one more. A delete at V uses V+1 itself, so the next document gets V+2, and an
 * update that still carries V is a conflict (PROTOCOL 2.5). A tombstone counts as long as the store has it: only its
 * lease ends it, and `deletedAt` decides nothing, since the clock of one node may be wrong by days. No errors.
 */
export function storedVersion(current: ShadowState | null): number | null {
  if (current === null) return null;
  return isTombstone(current) ? current.version + 1 : current.version;
}

/** Bytes that count against the limit: the compact JSON of `{"desired":…,"reported":…}` (PROTOCOL 3). */
export function documentBytes(document: ShadowDocument): number {
  return jsonBytes({ desired: document.desired, reported: document.reported });
}

function mergeDocument(base: ShadowDocument, patch: StatePatch, version: number, seconds: number): ShadowDocument {
  const metadata: Draft<ShadowDocument['metadata']> = {};
  const document: Draft<ShadowDocument> = { version, metadata };
  if (patch === null) return document;
  for (const section of SECTIONS) {
    const change = own<JsonObject | null>(patch, section);
    if (change === null) continue;
    const before = base[section];
    const stamps = sectionMetadata(base, section);
    const [state, nodes] = change === undefined ? [before, stamps] : mergeBoth(before, stamps, change, seconds);
    // A section without members is left out (PROTOCOL 2.2, clean-up).
    if (state === undefined || Object.keys(state).length === 0) continue;
    document[section] = state;
    metadata[section] = nodes;
  }
  return document;
}

function mergeBoth(
  before: JsonObject | undefined,
  stamps: MetadataObject,
  change: JsonObject,
  seconds: number,
): [JsonObject, MetadataObject] {
  const after = mergeSection(before, change);
  const leaf = { timestamp: seconds };
  return [after, mergeMetadata({ state: before ?? NO_MEMBERS, metadata: stamps }, after, change, leaf)];
}
