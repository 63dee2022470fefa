import { deltaState } from './delta.js';
import { epochSeconds } from './metadata.js';
import { metadataText, mirrorText } from './stamps.js';
import {
  isTombstone,
  SECTIONS,
  type ChangeRecord,
  type JsonObject,
  type ShadowDocument,
  type ShadowState,
  type StatePatch,
  type Tombstone,
} from './shadow-document.js';
import { patchTextOf, StoredDocument } from './stored-document.js';
import type { ServiceError } from '../errors/service-error.js';
import { own } from './json.js';

/**
 * Every message of PROTOCOL 1.3 as the JSON that is sent, put together from the texts of the document. messages.ts has
 * the same messages as objects; a property test holds them equal.
 */

/**
 * The JSON of a get's answer up to the value of its timestamp, its last member but the client token. It is kept with the
 * document, so that a get makes nothing into text. No errors.
 */
export function acceptedHead(document: ShadowDocument): string {
  return StoredDocument.of(document).keepAcceptedHead(makeAcceptedHead);
}

function makeAcceptedHead(document: StoredDocument): string {
  const delta = deltaState(document);
  const state = document.stateText(delta === null ? '' : `"delta":${JSON.stringify(delta)}`);
  const head = `{"state":${state},"metadata":${document.metadataText()},"version":${document.version},"timestamp":`;
  // One flat string: a chain of joined pieces takes ten times the memory, and is walked anew at each get.
  return Buffer.from(head).toString();
}

/** @param nowMs epoch milliseconds of the answer, not of the last update */
export function getAcceptedText(document: ShadowDocument, nowMs: number, clientToken?: string): string {
  return `${acceptedHead(document)}${epochSeconds(nowMs)}${ending(clientToken)}`;
}

/** The answer to an update: only what the request contained, nulls and empty sections included. No errors. */
export function updateAcceptedText(document: ShadowDocument, change: ChangeRecord): string {
  const seconds = epochSeconds(change.at);
  const metadata = echoText(change.patch ?? null, seconds);
  const { version } = document;
  return `{"state":${patchTextOf(change)},"metadata":${metadata},"version":${version},${stamped(change)}`;
}

function echoText(patch: StatePatch, seconds: number): string {
  if (patch === null) return mirrorText(null, seconds);
  let text = '';
  for (const section of SECTIONS) {
    const value = own<JsonObject | null>(patch, section);
    if (value !== undefined) text += `${text === '' ? '' : ','}"${section}":${mirrorText(value, seconds)}`;
  }
  return `{${text}}`;
}

/** null when nothing differs. It depends on the document alone: an unrelated update sends it again (PROTOCOL 1.4). */
export function deltaText(document: ShadowDocument, change: ChangeRecord): string | null {
  const stored = StoredDocument.of(document);
  const delta = deltaState(stored);
  if (delta === null) return null;
  const stamps = stored.desiredSection?.stamps;
  const metadata = stamps === undefined ? '{}' : metadataText(delta, stamps);
  const times = `"version":${stored.version},"timestamp":${epochSeconds(change.at)}`;
  return `{${times},"state":${JSON.stringify(delta)},"metadata":${metadata}${ending(change.clientToken)}`;
}

/** `previous` is null on creation, also on one after a delete (PROTOCOL 2.5). No errors. */
export function documentsText(previous: ShadowState | null, current: ShadowDocument, change: ChangeRecord): string {
  const before = previous === null || isTombstone(previous) ? 'null' : snapshotText(previous);
  return `{"previous":${before},"current":${snapshotText(current)},${stamped(change)}`;
}

/** A document as `documents` messages and streams show it. No errors. */
export function snapshotText(document: ShadowDocument): string {
  const stored = StoredDocument.of(document);
  return `{"state":${stored.stateText()},"metadata":${stored.metadataText()},"version":${stored.version}}`;
}

/** `version` is the version of the deleted document (PROTOCOL 2.5). No errors. */
export function deleteAcceptedText(tombstone: Tombstone, change: ChangeRecord): string {
  return `{"version":${tombstone.version},${stamped(change)}`;
}

/** The error as MQTT answers it: `code` is its HTTP status. No errors. */
export function rejectedText(error: ServiceError): string {
  return `{"code":${error.status},"message":${JSON.stringify(error.message)}${ending(error.clientToken)}`;
}

function stamped({ at, clientToken }: ChangeRecord): string {
  return `"timestamp":${epochSeconds(at)}${ending(clientToken)}`;
}

function ending(clientToken: string | undefined): string {
  return clientToken === undefined ? '}' : `,"clientToken":${JSON.stringify(clientToken)}}`;
}
