import { emptyObject, isObject, own } from './json.js';
import type { Json, JsonObject } from './shadow-document.js';

const EMPTY = Object.freeze(emptyObject());

/**
 * The section after the patch, by the table of PROTOCOL 2.2. Pure: untouched parts are shared with `current`, and an
 * empty patch returns `current` itself. No errors: the patch is already checked, so the recursion ends at its depth.
 */
export function mergeSection(current: JsonObject | undefined, patch: JsonObject): JsonObject {
  return mergeObject(current ?? EMPTY, patch);
}

function mergeObject(current: JsonObject, patch: JsonObject): JsonObject {
  const named = Object.keys(patch);
  if (named.length === 0) return current;
  const merged = emptyObject();
  for (const member of Object.keys(current)) {
    const change = own(patch, member);
    const value = change === undefined ? current[member] : mergeValue(current[member], change);
    if (value !== undefined) merged[member] = value;
  }
  for (const member of named) {
    if (Object.hasOwn(current, member)) continue;
    const value = mergeValue(undefined, patch[member]!);
    if (value !== undefined) merged[member] = value;
  }
  return merged;
}

/** The member after the patch; undefined: the section does not have it. */
function mergeValue(current: Json | undefined, change: Json): Json | undefined {
  if (change === null) return undefined;
  if (!isObject(change)) return change;
  if (isObject(current)) return mergeObject(current, change);
  const replaced = mergeObject(EMPTY, change);
  // An object of nulls creates no member, yet it turns a scalar or an array into {} (PROTOCOL 2.2, 7.1).
  const onlyNulls = isEmpty(replaced) && !isEmpty(change);
  return onlyNulls && current === undefined ? undefined : replaced;
}

function isEmpty(object: JsonObject): boolean {
  return Object.keys(object).length === 0;
}
