type Members = Readonly<Record<string, unknown>>;

/**
 * What of `desired` is not in `reported`, as the service computes it: objects member by member, all else whole; null:
 * nothing. No errors.
 */
export function differences(desired: object, reported: object): object | null {
  const delta: [string, unknown][] = [];
  for (const [member, wanted] of Object.entries(desired)) {
    const actual = Object.hasOwn(reported, member) ? (reported as Members)[member] : undefined;
    if (isObject(wanted) && isObject(actual)) {
      const found = differences(wanted, actual);
      if (found !== null) delta.push([member, found]);
    } else if (!equal(wanted, actual)) delta.push([member, wanted]);
  }
  return delta.length === 0 ? null : Object.fromEntries(delta);
}

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((each, i) => equal(each, b[i]));
  if (!isObject(a) || !isObject(b) || Object.keys(a).length !== Object.keys(b).length) return false;
  return Object.keys(a).every((member) => Object.hasOwn(b, member) && equal(a[member], b[member]));
}
