import type { Json, Section } from './history.js';

/**
 * What a shadow does, written a second time and on its own: the checker does not trust the code that it judges. Updates
 * of the lab have no arrays of objects, and nulls only to remove.
 */
export function merge(section: Section, patch: Section): Section {
  const result: Record<string, Json> = { ...section };
  for (const [member, value] of Object.entries(patch)) {
    const old = result[member];
    if (value === null) delete result[member];
    else if (isObject(value)) result[member] = merge(old !== undefined && isObject(old) ? old : {}, value);
    else result[member] = value;
  }
  return result;
}

/** What desired has and reported has not; null when there is nothing. */
export function difference(desired: Section, reported: Section): Section | null {
  const result: Record<string, Json> = {};
  for (const [member, wanted] of Object.entries(desired)) {
    const has = reported[member];
    if (has !== undefined && isObject(wanted) && isObject(has)) {
      const inner = difference(wanted, has);
      if (inner !== null) result[member] = inner;
    } else if (!same(wanted, has)) result[member] = wanted;
  }
  return Object.keys(result).length === 0 ? null : result;
}

/** Equal as JSON, whatever the order of members. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonical(a) === canonical(b);
}

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((member) => `${JSON.stringify(member)}:${canonical(value[member] as Json)}`).join()}}`;
}

function isObject(value: Json): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
