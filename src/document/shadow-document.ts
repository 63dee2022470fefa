/**
 * The shapes of a shadow. Everything here is plain JSON data, as JSON.parse or `emptyObject` makes it. So that a member
 * called `__proto__` or `constructor` is just a member, names chosen by clients are read with own-property checks
 * (`own` of json.ts) and written only into objects that inherit nothing (`emptyObject`).
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

/** One kept document. A section is absent when it has no member; `delta` is computed, never kept. */
export interface ShadowDocument {
  /** The shadow's own counter: 1 for the first update, one more for each accepted one, gapless. */
  readonly version: number;
  readonly desired?: JsonObject;
  readonly reported?: JsonObject;
  readonly metadata: { readonly desired?: MetadataObject; readonly reported?: MetadataObject };
}

/** What is left of a deleted shadow for 48 h at least, so that its version goes on (PROTOCOL 2.5). */
export interface Tombstone {
  readonly deleted: true;
  /** Version of the document that was deleted. */
  readonly version: number;
  /** Epoch seconds, for people and for the answer; nothing is decided by it. */
  readonly deletedAt: number;
}

/** What can be found under a shadow key. */
export type ShadowState = ShadowDocument | Tombstone;

/** Whether the shadow is deleted. */
export function isTombstone(state: ShadowState): state is Tombstone {
  return 'deleted' in state;
}

/** `state` of an update as the client sent it: `null` empties both sections. */
export type StatePatch = { desired?: JsonObject | null; reported?: JsonObject | null } | null;

/** Who changed a shadow last, how and when: all that accepted, delta and documents need beside the document. */
export interface ChangeRecord {
  readonly kind: 'update' | 'delete';
  /** As sent, nulls and empty sections included. Absent for a delete. */
  readonly patch?: StatePatch;
  readonly clientToken?: string;
  readonly principal: string;
  /** Epoch milliseconds, one reading for the whole change. The protocol's timestamps are `floor(at / 1000)`. */
  readonly at: number;
}
