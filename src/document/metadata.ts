import { emptyObject, isObject, own } from './json.js';
import type {
  Json,
  JsonObject,
  Metadata,
  MetadataLeaf,
  MetadataObject,
  ShadowDocument,
  StatePatch,
} from './shadow-document.js';
import { SECTIONS } from './shadow-document.js';

/** `metadata` of update/accepted: the shape of the request, a null (also for a section or the state) as a leaf. */
export type EchoMetadata = MetadataLeaf | { desired?: Metadata; reported?: Metadata };

/** The whole second of an instant in epoch milliseconds: the only time unit of the protocol's messages. */
export function epochSeconds(atMs: number): number {
  return Math.floor(atMs / 1000);
}

/**
 * The metadata of a section after a merge: members that the patch names get `leaf`, all others keep their stamps
 * (PROTOCOL 2.3). The walk follows the shapes of the states, never of the metadata, so a member called `timestamp` is
 * no leaf. Pure; unchanged nodes are shared. No errors: a node that is missing in `before` stays missing.
 * @param before section and its metadata before the merge
 * @param after the merged section, from `mergeSection`
 * @param leaf the stamp, in epoch seconds
 */
export function mergeMetadata(
  before: { readonly state: JsonObject; readonly metadata: MetadataObject },
  after: JsonObject,
  patch: JsonObject,
  leaf: MetadataLeaf,
): MetadataObject {
  if (after === before.state) return before.metadata;
  const merged = emptyObject<MetadataObject>();
  for (const member of Object.keys(after)) {
    const node = mergeNode(before, after, patch, member, leaf);
    if (node !== undefined) merged[member] = node;
  }
  return merged;
}

function mergeNode(
  before: { readonly state: JsonObject; readonly metadata: MetadataObject },
  after: JsonObject,
  patch: JsonObject,
  member: string,
  leaf: MetadataLeaf,
): Metadata | undefined {
  const change = own(patch, member);
  const old = own(before.metadata, member);
  if (change === undefined) return old;
  const state = own(before.state, member);
  const value = after[member]!;
  if (!isObject(change) || !isObject(state) || !isObject(value)) return mirror(value, leaf);
  return mergeMetadata({ state, metadata: asMembers(old) }, value, change, leaf);
}

/** The node as a container; an empty one when a damaged record lacks it. */
export function asMembers(node: Metadata | undefined): MetadataObject {
  return node === undefined || Array.isArray(node) ? emptyObject<MetadataObject>() : (node as MetadataObject);
}

/** Objects as objects, arrays as arrays, each scalar (null too) as `leaf`. */
function mirror(value: Json, leaf: MetadataLeaf): Metadata {
  if (Array.isArray(value)) return value.map((element) => mirror(element, leaf));
  if (!isObject(value)) return leaf;
  const node = emptyObject<MetadataObject>();
  for (const member of Object.keys(value)) node[member] = mirror(value[member]!, leaf);
  return node;
}

/** Metadata of the echo in update/accepted (PROTOCOL 1.3): `seconds` since the epoch everywhere. No errors. */
export function mirrorMetadata(patch: StatePatch, seconds: number): EchoMetadata {
  const leaf = { timestamp: seconds };
  if (patch === null) return leaf;
  const echo: EchoMetadata = {};
  for (const section of SECTIONS) {
    const value = own<JsonObject | null>(patch, section);
    if (value !== undefined) echo[section] = mirror(value, leaf);
  }
  return echo;
}

/** Metadata of one section of a stored document; empty when it has none. */
export function sectionMetadata(document: ShadowDocument, section: 'desired' | 'reported'): MetadataObject {
  return document.metadata[section] ?? emptyObject<MetadataObject>();
}
