/**
 * The shapes of a shadow: plain JSON data, as JSON.parse or `emptyObject` makes it. Members that clients name are read
 * with own-property checks (`own` of json.ts) and written only into objects that inherit nothing (`emptyObject`), so
 * that `__proto__` and `constructor` are ordinary members.
 */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [member: string]: Json;
}

/** Mirrors the state: objects as objects, arrays as arrays, each scalar as `{ timestamp }` in whole epoch seconds. */
export type Metadata = MetadataLeaf | Metadata[] | MetadataObject;
export interface MetadataLeaf {
  timestamp: number;
}
export interface MetadataObject {
  [member: string]: Metadata;
}

export const SECTIONS = ['desired', 'reported'] as const;
export type Section = (typeof SECTIONS)[number];

/** One stored document. A section without members is absent; `delta` is computed, never stored. */
export interface ShadowDocument {
  /** The shadow's own counter: 1 for the first update, one more for each accepted update, without gaps. */
  readonly version: number;
  readonly desired?: JsonObject | undefined;
  readonly reported?: JsonObject | undefined;
  readonly metadata: { readonly desired?: MetadataObject; readonly reported?: MetadataObject };
}

/** The record of a deleted shadow, stored for at least 48 h so that its version continues (PROTOCOL 2.5). */
export interface Tombstone {
  readonly deleted: true;
  /** Version of the document that was deleted. */
  readonly version: number;
  /** Epoch seconds, for people and for the answer; no rule depends on it. */
  readonly deletedAt: number;
}

/** The state of one shadow, live or deleted. */
export type ShadowState = ShadowDocument | Tombstone;

/** Whether the shadow is deleted. */
export function isTombstone(state: ShadowState): state is Tombstone {
  return 'deleted' in state;
}

/** `state` of an update as the client sent it: `null` empties both sections. */
export type StatePatch = { desired?: JsonObject | null; reported?: JsonObject | null } | null;

/** The trace of the request that has made a change (W3C Trace Context). */
export interface ChangeTrace {
  readonly traceparent: string;
  /** Empty: none. */
  readonly tracestate: string;
}

/** The last change of a shadow: all that accepted, delta and documents need beside the document. */
export interface ChangeRecord {
  readonly kind: 'update' | 'delete';
  /** As sent, nulls and empty sections included. Absent for a delete. */
  readonly patch?: StatePatch | undefined;
  readonly clientToken?: string | undefined;
  readonly principal: string;
  /** Epoch milliseconds, one reading for the whole change. The protocol's timestamps are `floor(at / 1000)`. */
  readonly at: number;
  /** Absent unless the request was sampled. */
  readonly trace?: ChangeTrace | undefined;
}
