import { emptyObject, equalJson, isObject, own } from './json.js';
import { asMembers, sectionMetadata } from './metadata.js';
import type { JsonObject, MetadataObject, ShadowDocument } from './shadow-document.js';

/** The part of desired that the device has not reported yet, from the root, with the stored stamps of its values. */
export interface Delta {
  readonly state: JsonObject;
  readonly metadata: MetadataObject;
}

const NOTHING = Object.freeze(emptyObject());

/** All differences of desired from reported (PROTOCOL 2.4), or null. Pure; shares values with the document. No errors. */
export function deltaState({ desired, reported }: Pick<ShadowDocument, 'desired' | 'reported'>): JsonObject | null {
  return desired === undefined ? null : difference(desired, reported ?? NOTHING);
}

/** The delta with the metadata of its values in full, or null. Pure; shares values with the document. No errors. */
export function computeDelta(document: ShadowDocument): Delta | null {
  const state = deltaState(document);
  if (state === null) return null;
  return { state, metadata: stampsOf(state, document.desired!, sectionMetadata(document, 'desired')) };
}

function difference(desired: JsonObject, reported: JsonObject): JsonObject | null {
  let delta: JsonObject | null = null;
  for (const member of Object.keys(desired)) {
    const wanted = desired[member]!;
    const actual = own(reported, member);
    let found: typeof wanted | undefined;
    if (isObject(wanted) && isObject(actual)) found = difference(wanted, actual) ?? undefined;
    else if (actual === undefined || !equalJson(wanted, actual)) found = wanted;
    if (found !== undefined) (delta ??= emptyObject())[member] = found;
  }
  return delta;
}

/** A part of an object has a part of its metadata; a whole value has its own. */
function stampsOf(delta: JsonObject, desired: JsonObject, metadata: MetadataObject): MetadataObject {
  const stamps = emptyObject<MetadataObject>();
  for (const member of Object.keys(delta)) {
    const found = delta[member]!;
    const wanted = desired[member]!;
    const whole = own(metadata, member);
    const part = found !== wanted && isObject(found) && isObject(wanted);
    const nodes = part ? stampsOf(found, wanted, asMembers(whole)) : whole;
    if (nodes !== undefined) stamps[member] = nodes;
  }
  return stamps;
}
