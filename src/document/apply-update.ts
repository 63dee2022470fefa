import { emptyObject, own } from './json.js';
import type { Limits } from './limits.js';
import { mergeSection } from './merge.js';
import { epochSeconds } from './metadata.js';
import type { UpdateRequest } from './parse-request.js';
import type { JsonObject, ShadowDocument, ShadowState, StatePatch } from './shadow-document.js';
import { isTombstone } from './shadow-document.js';
import { mergeStamps } from './stamps.js';
import { StoredDocument, StoredSection } from './stored-document.js';
import { ServiceError } from '../errors/service-error.js';

export interface UpdateContext {
  /** Epoch milliseconds, one reading for the whole update. */
  readonly now: number;
  readonly limits: Limits;
}

const NOTHING = new StoredDocument(0, null, null);
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
): StoredDocument {
  const stored = storedVersion(current);
  if (request.version !== undefined && request.version !== stored) {
    throw new ServiceError('versionConflict');
  }
  const base = current === null || isTombstone(current) ? NOTHING : StoredDocument.of(current);
  const document = mergeDocument(base, request.state, (stored ?? 0) + 1, epochSeconds(context.now));
  if (isTooLarge(document, context.limits.maxDocumentBytes)) throw new ServiceError('tooLarge');
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

/** Bytes that count against the limit: the compact JSON of `{"desired":…,"reported":…}` (PROTOCOL 3). No errors. */
export function documentBytes(document: ShadowDocument): number {
  return Buffer.byteLength(StoredDocument.of(document).stateText());
}

function isTooLarge({ desiredSection, reportedSection }: StoredDocument, maxBytes: number): boolean {
  const desired = desiredSection?.text ?? '';
  const reported = reportedSection?.text ?? '';
  // A unit of UTF-16 takes three bytes of UTF-8 at most, so most documents need no count of bytes.
  if ((desired.length + reported.length + FRAME_BYTES) * 3 <= maxBytes) return false;
  const names = (desired === '' ? 0 : DESIRED_BYTES) + (reported === '' ? 0 : REPORTED_BYTES);
  const comma = desired !== '' && reported !== '' ? 1 : 0;
  return Buffer.byteLength(desired) + Buffer.byteLength(reported) + names + comma + BRACES_BYTES > maxBytes;
}

const DESIRED_BYTES = '"desired":'.length;
const REPORTED_BYTES = '"reported":'.length;
const BRACES_BYTES = 2;
const FRAME_BYTES = DESIRED_BYTES + REPORTED_BYTES + BRACES_BYTES + 1;

function mergeDocument(base: StoredDocument, patch: StatePatch, version: number, seconds: number): StoredDocument {
  if (patch === null) return new StoredDocument(version, null, null);
  return new StoredDocument(
    version,
    mergeInto(base.desiredSection, own<JsonObject | null>(patch, 'desired'), seconds),
    mergeInto(base.reportedSection, own<JsonObject | null>(patch, 'reported'), seconds),
  );
}

/** The section after the patch; null: it has no members, and is left out (PROTOCOL 2.2, clean-up). */
function mergeInto(
  before: StoredSection | null,
  change: JsonObject | null | undefined,
  seconds: number,
): StoredSection | null {
  // Only a damaged record has a section without members.
  if (change === undefined) return before?.text === '{}' ? null : before;
  if (change === null) return null;
  if (replaces(before?.members ?? NO_MEMBERS, change)) return new StoredSection(change, seconds);
  const members = mergeSection(before?.members, change);
  if (Object.keys(members).length === 0) return null;
  if (members === before?.members) return before;
  const state = before?.members ?? NO_MEMBERS;
  return new StoredSection(members, mergeStamps({ state, stamps: before?.stamps }, members, change, seconds));
}

/**
 * Whether the merged section is the patch itself: it sets every member anew, in the same order, with nothing below that
 * would be merged. It is so for a device that reports all its readings each time.
 */
function replaces(current: JsonObject, patch: JsonObject): boolean {
  const named = Object.keys(patch);
  const present = Object.keys(current);
  if (named.length === 0 || present.length > named.length) return false;
  for (let i = 0; i < present.length; i++) if (present[i] !== named[i]) return false;
  for (const member of named) {
    const value = patch[member]!;
    if (typeof value === 'object' && !Array.isArray(value)) return false;
  }
  return true;
}
