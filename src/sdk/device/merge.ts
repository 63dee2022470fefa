import { clientError } from '../umbra-error.js';

/** JSON, without numbers that JSON has not. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json };

/** Levels; no service takes more (`UMBRA_MAX_DEPTH`). */
const MAX_DEPTH = 100;

/**
 * A copy of what JSON would say of a value, so that a change of it after the call changes nothing.
 * @returns undefined for what JSON leaves out
 * @throws UmbraError invalid-argument for a number that JSON has not, which would be null: that removes a member
 */
export function jsonOf(value: unknown, depth = 0): Json | undefined {
  if (depth > MAX_DEPTH) throw clientError('invalid-argument', `the value has more than ${MAX_DEPTH} levels`);
  if (typeof value === 'number' && !Number.isFinite(value))
    throw clientError('invalid-argument', `${value} is no number of JSON; send null to remove the member`);
  if (typeof value === 'bigint') throw clientError('invalid-argument', 'a bigint is no JSON; send it as a string');
  if (typeof value !== 'object' || value === null) return isJson(value) ? value : undefined;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return jsonOf((toJSON as () => unknown).call(value), depth + 1);
  if (Array.isArray(value)) return value.map((each) => jsonOf(each, depth + 1) ?? null);
  const members = Object.entries(value).flatMap(([name, member]) => {
    const json = jsonOf(member, depth + 1);
    return json === undefined ? [] : [[name, json] as const];
  });
  return Object.fromEntries(members);
}

const isJson = (value: unknown): value is string | number | boolean | null =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);

export const isObject = (value: unknown): value is Readonly<Record<string, Json>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The one patch that does what two do, leaf by leaf. undefined: there is none, because the first removes or replaces
 * what the second merges into, or one of them makes an object in which the other leaves only nulls. No errors.
 */
export function mergedPatch(first: Json, second: Json): Json | undefined {
  if (!isObject(second)) return second;
  if (!isObject(first)) return undefined;
  const members = new Map(Object.entries(first));
  for (const [name, value] of Object.entries(second)) {
    const before = members.get(name);
    const merged = before === undefined ? value : mergedPatch(before, value);
    if (merged === undefined) return undefined;
    if (isObject(merged) && !makes(merged) && (makes(value) || (before !== undefined && makes(before))))
      return undefined;
    members.set(name, merged);
  }
  // Not by assignment: a member may be called `__proto__`.
  return Object.fromEntries(members);
}

/** Whether a value is there after it was merged into nothing: an object of nulls makes no member. */
const makes = (value: Json): boolean => {
  if (!isObject(value)) return value !== null;
  const members = Object.values(value);
  return members.length === 0 || members.some(makes);
};
