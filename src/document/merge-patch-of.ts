import { emptyObject, isObject, own } from './json.js';
import type { Touched } from './patched-state.js';
import type { Json, JsonObject, StatePatch } from './shadow-document.js';

/**
 * The merge patch (RFC 7396) that turns one state into another: it names what was touched, also where the value is the
 * same, removed members as null, and arrays whole. There always is one, since neither state holds a null. Pure; shares
 * values with `after`. No errors.
 * @param before state with both sections
 * @param after state whose sections are objects, or absent
 */
export function mergePatchOf(before: JsonObject, after: JsonObject, touched: Touched): StatePatch {
  return (touched.whole ? replacing(before, after) : within(before, after, touched)) as StatePatch;
}

/** Of an object that stays an object, though parts of it were touched. */
function within(before: JsonObject, after: JsonObject, { members }: Touched): JsonObject {
  const patch = emptyObject();
  for (const [member, touched] of members) {
    const change = changeOf(own(before, member), own(after, member), touched);
    if (change !== undefined) patch[member] = change;
  }
  return patch;
}

/** undefined: it was not there, and is not there. */
function changeOf(before: Json | undefined, after: Json | undefined, touched: Touched): Json | undefined {
  if (after === undefined) return before === undefined ? undefined : null;
  if (!isObject(after) || !isObject(before)) return after;
  return touched.whole ? replacing(before, after) : within(before, after, touched);
}

/** Sets every member of `after`, and removes all others. */
function replacing(before: JsonObject, after: JsonObject): JsonObject {
  const patch = emptyObject();
  for (const member of Object.keys(before)) if (!Object.hasOwn(after, member)) patch[member] = null;
  for (const member of Object.keys(after)) {
    const [old, value] = [own(before, member), after[member]!];
    patch[member] = isObject(old) && isObject(value) ? replacing(old, value) : value;
  }
  return patch;
}
