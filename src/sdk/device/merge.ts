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

/** Members that were merged so far. */
class Branch {
  readonly members = new Map<string, Node>();
  /** Members that are there after this was merged into nothing. */
  making = 0;
}

type Node = Branch | Exclude<Json, { readonly [member: string]: Json }>;

/**
 * Patches as the one that does what they do one after the other, leaf by leaf. Each costs as much as it has itself,
 * however many were there before.
 */
export class PatchMerge {
  #root: Node;

  constructor(first: Json) {
    this.#root = nodeOf(first);
  }

  /**
   * Adds one, which comes after all others. False, and nothing has changed: no one patch says both, because those before
   * remove or replace what it merges into, or make an object in which it leaves only nulls, or the other way round.
   * No errors.
   */
  add(patch: Json): boolean {
    const root = this.#root;
    // The section itself stays, whatever its members do.
    const isPossible = isObject(patch)
      ? root instanceof Branch &&
        Object.entries(patch).every(([name, value]) => makesWith(root.members.get(name), value) !== undefined)
      : true;
    if (isPossible) this.#root = mergedNode(root, patch);
    return isPossible;
  }

  get patch(): Json {
    return jsonOfNode(this.#root);
  }
}

/** Whether a value is there after it was merged into nothing: an object of nulls makes no member. */
const makes = (value: Json): boolean => {
  if (!isObject(value)) return value !== null;
  const members = Object.values(value);
  return members.length === 0 || members.some(makes);
};

const isMaking = (node: Node): boolean =>
  node instanceof Branch ? node.members.size === 0 || node.making > 0 : node !== null;

/** What `makes` would say of a member once this value was merged into it; undefined: no one patch says both. */
function makesWith(before: Node | undefined, value: Json): boolean | undefined {
  if (before === undefined || !isObject(value)) return makes(value);
  if (!(before instanceof Branch)) return undefined;
  let { making } = before;
  let isEmpty = before.members.size === 0;
  for (const [name, member] of Object.entries(value)) {
    const old = before.members.get(name);
    const isMade = makesWith(old, member);
    if (isMade === undefined) return undefined;
    making += Number(isMade) - Number(old !== undefined && isMaking(old));
    isEmpty = false;
  }
  const isThere = isEmpty || making > 0;
  return isThere || !(makes(value) || isMaking(before)) ? isThere : undefined;
}

const nodeOf = (value: Json): Node => mergedNode(undefined, value);

/** Only where `makesWith` has found nothing against it. */
function mergedNode(before: Node | undefined, value: Json): Node {
  if (!isObject(value)) return value as Node;
  const branch = before instanceof Branch ? before : new Branch();
  for (const [name, member] of Object.entries(value)) {
    const old = branch.members.get(name);
    if (old !== undefined && isMaking(old)) branch.making--;
    const node = mergedNode(old, member);
    if (isMaking(node)) branch.making++;
    branch.members.set(name, node);
  }
  return branch;
}

// Not by assignment: a member may be called `__proto__`.
const jsonOfNode = (node: Node): Json =>
  node instanceof Branch
    ? Object.fromEntries([...node.members].map(([name, member]) => [name, jsonOfNode(member)]))
    : node;
