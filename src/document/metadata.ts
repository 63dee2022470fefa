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

/** The node as a container; an empty one when a damaged record lacks it. */
export function asMembers(node: Metadata | undefined): MetadataObject {
  return node === undefined || Array.isArray(node) ? emptyObject<MetadataObject>() : (node as MetadataObject);
}

/** Objects as objects, arrays as arrays, each scalar (null too) as `leaf`. No errors. */
export function mirror(value: Json, leaf: MetadataLeaf): Metadata {
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
