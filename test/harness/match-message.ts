export interface MatchOptions {
  /** The service's clock cannot be set: any integer passes where a timestamp is expected. */
  readonly anyTimestamp?: boolean;
}

type Members = Record<string, unknown>;

/** Members of a message that are compared exactly, and those that are messages of their own (PROTOCOL 6.1). */
const EXACT = new Set(['state', 'metadata']);
const SNAPSHOTS = new Set(['previous', 'current']);

/**
 * Compares a message with what a vector expects of it, by the rules of PROTOCOL 6.1: members as a subset, everything in
 * `state` and `metadata` exactly, matchers in place of a value.
 * @returns null, or where and how they differ
 */
export function matchMessage(expected: unknown, actual: unknown, options: MatchOptions = {}): string | null {
  return matchSubset(expected, actual, '', options);
}

function matchSubset(expected: unknown, actual: unknown, path: string, options: MatchOptions): string | null {
  if (!isMembers(expected)) return equal(expected, actual) ? null : differs(path, expected, actual);
  if (!isMembers(actual)) return differs(path, expected, actual);
  for (const [member, wanted] of Object.entries(expected)) {
    const mismatch = matchMember(member, wanted, actual, `${path}.${member}`, options);
    if (mismatch !== null) return mismatch;
  }
  return null;
}

function matchMember(
  member: string,
  wanted: unknown,
  message: Members,
  path: string,
  options: MatchOptions,
): string | null {
  const present = Object.hasOwn(message, member);
  const actual = present ? message[member] : undefined;
  if (wanted === '$absent') return present ? `${path}: must be absent, got ${text(actual)}` : null;
  if (!present) return `${path}: is missing, expected ${text(wanted)}`;
  if (SNAPSHOTS.has(member)) return matchSubset(wanted, actual, path, options);
  const matches = matcher(wanted);
  if (matches !== null) return matches(actual) ? null : differs(path, wanted, actual);
  if (member === 'timestamp' && options.anyTimestamp === true) {
    return Number.isInteger(actual) ? null : `${path}: must be an integer, got ${text(actual)}`;
  }
  const stampsAreFree = member === 'metadata' && options.anyTimestamp === true;
  const same = EXACT.has(member) ? equal(wanted, actual, stampsAreFree) : equal(wanted, actual);
  return same ? null : differs(path, wanted, actual);
}

/** The test that a matcher stands for; null when `wanted` is a plain value. */
function matcher(wanted: unknown): ((actual: unknown) => boolean) | null {
  if (wanted === '$any') return () => true;
  if (wanted === '$int') return (actual) => Number.isInteger(actual);
  if (!isMembers(wanted) || Object.keys(wanted).length !== 1) return null;
  const [[kind, value]] = Object.entries(wanted) as [[string, unknown]];
  if (kind === '$gt') return (actual) => typeof actual === 'number' && actual > (value as number);
  if (kind === '$in') return (actual) => (value as unknown[]).some((one) => equal(one, actual));
  if (kind !== '$regex') return null;
  const pattern = toRegExp(value as string);
  return (actual) => typeof actual === 'string' && pattern.test(actual);
}

function toRegExp(source: string): RegExp {
  return source.startsWith('(?i)') ? new RegExp(source.slice(4), 'iu') : new RegExp(source, 'u');
}

/** Deep equality: own members only, in any order; numbers by value. `stampsAreFree` lets any integer stamp pass. */
function equal(a: unknown, b: unknown, stampsAreFree = false): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((element, i) => equal(element, b[i], stampsAreFree));
  }
  if (!isMembers(a) || !isMembers(b)) return false;
  const members = Object.keys(a);
  if (members.length !== Object.keys(b).length) return false;
  return members.every((member) => {
    if (!Object.hasOwn(b, member)) return false;
    // A number under `timestamp` can only be a leaf: metadata holds no other numbers.
    if (stampsAreFree && member === 'timestamp' && typeof a[member] === 'number') return Number.isInteger(b[member]);
    return equal(a[member], b[member], stampsAreFree);
  });
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function differs(path: string, expected: unknown, actual: unknown): string {
  return `${path}: expected ${text(expected)}, got ${text(actual)}`;
}

function text(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length <= 300 ? json : `${json.slice(0, 300)}… (${json.length} characters)`;
}
