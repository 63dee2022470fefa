import { emptyObject, isObject, own } from '../../src/document/json.js';
import { mergeSection } from '../../src/document/merge.js';
import { epochSeconds } from '../../src/document/metadata.js';
import type {
  Json,
  JsonObject,
  Metadata,
  MetadataLeaf,
  MetadataObject,
  ShadowDocument,
  StatePatch,
} from '../../src/document/shadow-document.js';
import { SECTIONS } from '../../src/document/shadow-document.js';

/**
 * An update on plain objects, with metadata in full: the rule of PROTOCOL 2.2 and 2.3 without texts, short cuts or
 * compact stamps. What the service does must be equal to it.
 */
export function referenceUpdate(current: ShadowDocument | null, patch: StatePatch, atMs: number): ShadowDocument {
  const metadata: { desired?: MetadataObject; reported?: MetadataObject } = {};
  const document: { -readonly [K in keyof ShadowDocument]: ShadowDocument[K] } = {
    version: (current?.version ?? 0) + 1,
    metadata,
  };
  if (patch === null) return document;
  for (const section of SECTIONS) {
    const change = own<JsonObject | null>(patch, section);
    if (change === null) continue;
    const before = current?.[section];
    const stamps = current?.metadata[section] ?? {};
    const after = change === undefined ? before : mergeSection(before, change);
    if (after === undefined || Object.keys(after).length === 0) continue;
    document[section] = after;
    metadata[section] =
      change === undefined
        ? stamps
        : mergeMetadata({ state: before ?? {}, metadata: stamps }, after, change, { timestamp: epochSeconds(atMs) });
  }
  return document;
}

interface Stamped {
  readonly state: JsonObject;
  readonly metadata: MetadataObject;
}

function mergeMetadata(before: Stamped, after: JsonObject, patch: JsonObject, leaf: MetadataLeaf): MetadataObject {
  if (after === before.state) return before.metadata;
  const merged = emptyObject<MetadataObject>();
  for (const member of Object.keys(after)) {
    const change = own(patch, member);
    const old = own(before.metadata, member);
    const node = change === undefined ? old : mergeNode(own(before.state, member), old, after[member]!, change, leaf);
    if (node !== undefined) merged[member] = node;
  }
  return merged;
}

function mergeNode(
  state: Json | undefined,
  old: Metadata | undefined,
  value: Json,
  change: Json,
  leaf: MetadataLeaf,
): Metadata {
  if (!isObject(change) || !isObject(state) || !isObject(value)) return mirror(value, leaf);
  return mergeMetadata({ state, metadata: (old ?? {}) as MetadataObject }, value, change, leaf);
}

function mirror(value: Json, leaf: MetadataLeaf): Metadata {
  if (Array.isArray(value)) return value.map((element) => mirror(element, leaf));
  if (!isObject(value)) return leaf;
  const node = emptyObject<MetadataObject>();
  for (const member of Object.keys(value)) node[member] = mirror(value[member]!, leaf);
  return node;
}
