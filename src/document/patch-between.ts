import { emptyObject, equalJson, isObject, own } from './json.js';
import { mergeSection } from './merge.js';
import { SECTIONS, type Json, type JsonObject, type ShadowDocument, type StatePatch } from './shadow-document.js';

/** Which members that stay as they are a patch names: `all` of them, as a client sends a whole section, or `none`. */
type Unchanged = 'all' | 'none';

/**
 * The merge patch that makes `before` into what `next` makes of an empty section. It names all that is then there, and
 * has nulls for what goes. No errors: both have limits of depth.
 */
export function replacement(before: JsonObject | undefined, next: JsonObject): JsonObject | null {
  const after = mergeSection(undefined, next);
  return Object.keys(after).length === 0 ? null : patchTo(before ?? emptyObject(), after, 'all');
}

/** The smallest patch that makes one document into the other; null: there is none. No errors. */
export function patchBetween(before: ShadowDocument | null, after: ShadowDocument): StatePatch {
  const patch: { desired?: JsonObject | null; reported?: JsonObject | null } = {};
  for (const section of SECTIONS) {
    const [from, to] = [before?.[section], after[section]];
    if (!to) {
      if (from) patch[section] = null;
      continue;
    }
    const change = patchTo(from ?? emptyObject(), to, 'none');
    if (Object.keys(change).length > 0) patch[section] = change;
  }
  return patch;
}

function patchTo(before: JsonObject, after: JsonObject, unchanged: Unchanged): JsonObject {
  const patch = emptyObject();
  for (const member of Object.keys(before)) if (!Object.hasOwn(after, member)) patch[member] = null;
  for (const member of Object.keys(after)) {
    const change = valueTo(own(before, member), after[member]!, unchanged);
    if (change !== undefined) patch[member] = change;
  }
  return patch;
}

/** undefined: nothing need be said of the member. */
function valueTo(before: Json | undefined, after: Json, unchanged: Unchanged): Json | undefined {
  if (unchanged === 'none' && before !== undefined && equalJson(before, after)) return undefined;
  return isObject(before) && isObject(after) ? patchTo(before, after, unchanged) : after;
}
