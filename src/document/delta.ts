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
export function computeDelta(document: ShadowDocument): Delta | null {
  if (document.desired === undefined) return null;
  return difference(document.desired, document.reported ?? NOTHING, sectionMetadata(document, 'desired'));
}

function difference(desired: JsonObject, reported: JsonObject, metadata: MetadataObject): Delta | null {
  let delta: Delta | null = null;
  for (const member of Object.keys(desired)) {
    const wanted = desired[member]!;
    const actual = own(reported, member);
    const stamps = own(metadata, member);
    let found: { state: typeof wanted; metadata: typeof stamps } | null = null;
    if (isObject(wanted) && isObject(actual)) found = difference(wanted, actual, asMembers(stamps));
    else if (actual === undefined || !equalJson(wanted, actual)) found = { state: wanted, metadata: stamps };
    if (found === null) continue;
    delta ??= { state: emptyObject(), metadata: emptyObject<MetadataObject>() };
    delta.state[member] = found.state;
    if (found.metadata !== undefined) delta.metadata[member] = found.metadata;
  }
  return delta;
}
