import { computeDelta } from './delta.js';
import type { EchoMetadata } from './metadata.js';
import { epochSeconds, mirrorMetadata } from './metadata.js';
import type {
  ChangeRecord,
  JsonObject,
  MetadataObject,
  ShadowDocument,
  ShadowState,
  StatePatch,
  Tombstone,
} from './shadow-document.js';
import { isTombstone } from './shadow-document.js';
import type { ServiceError } from '../errors/service-error.js';

/**
 * Every message of PROTOCOL 1.3, ready for JSON.stringify, with exactly the members it names. Timestamps are whole
 * epoch seconds. The messages share their values with the document: serialise them, do not change them.
 */

interface Stamped {
  readonly timestamp: number;
  /** Present if and only if the request carried one. */
  readonly clientToken?: string;
}

interface Sections {
  readonly desired?: JsonObject;
  readonly reported?: JsonObject;
}

export interface GetAccepted extends Stamped {
  readonly state: Sections & { readonly delta?: JsonObject };
  readonly metadata: ShadowDocument['metadata'];
  readonly version: number;
}

export interface UpdateAccepted extends Stamped {
  readonly state: StatePatch;
  readonly metadata: EchoMetadata;
  readonly version: number;
}

export interface DeltaMessage extends Stamped {
  readonly version: number;
  readonly state: JsonObject;
  readonly metadata: MetadataObject;
}

export interface Snapshot {
  readonly state: Sections;
  readonly metadata: ShadowDocument['metadata'];
  readonly version: number;
}

export interface DocumentsMessage extends Stamped {
  readonly previous: Snapshot | null;
  readonly current: Snapshot;
}

export interface DeleteAccepted extends Stamped {
  readonly version: number;
}

export interface Rejected {
  readonly code: number;
  readonly message: string;
  readonly clientToken?: string;
}

/** @param nowMs epoch milliseconds of the answer, not of the last update */
export function getAccepted(document: ShadowDocument, nowMs: number, clientToken?: string): GetAccepted {
  const delta = computeDelta(document);
  return {
    state: { ...sections(document), ...(delta && { delta: delta.state }) },
    metadata: document.metadata,
    version: document.version,
    timestamp: epochSeconds(nowMs),
    ...token(clientToken),
  };
}

/** Echoes only what the request contained, nulls and empty sections included. */
export function updateAccepted(document: ShadowDocument, change: ChangeRecord): UpdateAccepted {
  const timestamp = epochSeconds(change.at);
  const state = change.patch ?? null;
  const metadata = mirrorMetadata(state, timestamp);
  return { state, metadata, version: document.version, timestamp, ...token(change.clientToken) };
}

/** null when nothing differs. It depends on the document alone: an unrelated update sends it again (PROTOCOL 1.4). */
export function deltaMessage(document: ShadowDocument, change: ChangeRecord): DeltaMessage | null {
  const delta = computeDelta(document);
  if (delta === null) return null;
  return {
    version: document.version,
    timestamp: epochSeconds(change.at),
    state: delta.state,
    metadata: delta.metadata,
    ...token(change.clientToken),
  };
}

/** `previous` is null on creation, also on one after a delete (PROTOCOL 2.5). */
export function documentsMessage(
  previous: ShadowState | null,
  current: ShadowDocument,
  change: ChangeRecord,
): DocumentsMessage {
  return {
    previous: previous === null || isTombstone(previous) ? null : snapshot(previous),
    current: snapshot(current),
    timestamp: epochSeconds(change.at),
    ...token(change.clientToken),
  };
}

/** `version` is the version of the deleted document (PROTOCOL 2.5). */
export function deleteAccepted(tombstone: Tombstone, change: ChangeRecord): DeleteAccepted {
  return { version: tombstone.version, timestamp: epochSeconds(change.at), ...token(change.clientToken) };
}

/** The error as MQTT answers it: `code` is its HTTP status. */
export function rejected(error: ServiceError): Rejected {
  return { code: error.status, message: error.message, ...token(error.clientToken) };
}

function snapshot(document: ShadowDocument): Snapshot {
  return { state: sections(document), metadata: document.metadata, version: document.version };
}

function sections(document: ShadowDocument): Sections {
  return {
    ...(document.desired && { desired: document.desired }),
    ...(document.reported && { reported: document.reported }),
  };
}

function token(clientToken: string | undefined): { clientToken?: string } {
  return clientToken === undefined ? {} : { clientToken };
}
