/** The value that a text means, or its problem, which continues "UMBRA_X is …: ". */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** One variable of the environment: its rule, and its texts for documentation and error messages. */
export interface Variable<T = unknown, P extends string = string> {
  /** The place of the value in Config; dots separate the levels. */
  readonly path: P;
  readonly default: T;
  /** The default in words, where its value is not clear enough. */
  readonly defaultText: string | null;
  /** The allowed values, in words. */
  readonly type: string;
  readonly unit: string;
  readonly meaning: string;
  /** A valid value. */
  readonly example: string;
  /** Neither errors nor logs print the value. */
  readonly secret: boolean;
  /** @param text not empty */
  parse(text: string): Parsed<T>;
}

interface Words {
  readonly meaning: string;
  readonly example?: string;
  readonly secret?: boolean;
  readonly defaultText?: string;
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly unit: string;
}

interface TextRule {
  readonly type: string;
  readonly pattern: RegExp;
  readonly problem: string;
  readonly example: string;
}

const COMMON = { unit: '', secret: false, defaultText: null };
const PORT = { min: 0, max: 65_535, unit: 'TCP port; 0 is any free one' };

export function integer<const P extends string>(path: P, byDefault: number, rule: Words & Range): Variable<number, P> {
  const { min, max } = rule;
  const problem = `must be a whole number from ${min} to ${max}`;
  const own = { path, default: byDefault, type: `${min} to ${max}`, example: String(min) };
  return { ...COMMON, ...own, ...rule, parse: (given) => within(given, rule, problem) };
}

/** The default is the example. */
export function port<const P extends string>(path: P, byDefault: number, words: Words): Variable<number, P> {
  return integer(path, byDefault, { ...PORT, example: String(byDefault), ...words });
}

/** `off` is null, and the default. */
export function optionalPort<const P extends string>(path: P, words: Words & { example: string }) {
  const problem = 'must be "off" or a whole number from 0 to 65535';
  const own = { path, default: null, defaultText: 'off', type: 'off, or 0 to 65535', unit: PORT.unit };
  const parse = (given: string) => (given === 'off' ? { value: null } : within(given, PORT, problem));
  return { ...COMMON, ...own, ...words, parse } satisfies Variable<number | null, P> as Variable<number | null, P>;
}

export function flag<const P extends string>(path: P, byDefault: boolean, words: Words): Variable<boolean, P> {
  const own = { path, default: byDefault, type: 'true or false', example: 'true' };
  const parse = (given: string) =>
    given === 'true' || given === 'false' ? { value: given === 'true' } : { problem: 'must be "true" or "false"' };
  return { ...COMMON, ...own, ...words, parse };
}

export function choice<const P extends string, const V extends string>(
  path: P,
  byDefault: NoInfer<V>,
  rule: Words & { values: readonly V[] },
): Variable<V, P> {
  const type = `one of ${rule.values.join(', ')}`;
  const parse = (given: string): Parsed<V> => {
    const value = rule.values.find((allowed) => allowed === given);
    return value === undefined ? { problem: `must be ${type}` } : { value };
  };
  return { ...COMMON, path, default: byDefault, type, example: byDefault, ...rule, parse };
}

/** Text of one line. */
export function text<const P extends string, D extends string | null>(
  path: P,
  byDefault: D,
  rule: Words & TextRule,
): Variable<string | D, P> {
  const own = { path, default: byDefault, defaultText: byDefault === null ? 'none' : null };
  const parse = (given: string) => (rule.pattern.test(given) ? { value: given } : { problem: rule.problem });
  return { ...COMMON, ...own, ...rule, parse };
}

/** An address to listen on; loopback by default. */
export function host<const P extends string>(path: P, meaning: string) {
  return text(path, '127.0.0.1', {
    type: 'address or host name',
    pattern: /^[A-Za-z0-9.:_-]{1,253}$/,
    problem: 'must be one IP address or host name, without a port',
    example: '127.0.0.1',
    meaning,
  });
}

/** Path of a file that the node reads; null by default. */
export function file<const P extends string>(path: P, words: Words & { example: string }) {
  const rule = { type: 'path', pattern: /^[^\0\n]{1,4096}$/, problem: 'must be the path of one file' };
  return text(path, null, { ...rule, ...words });
}

/** Values separated by commas; empty values are dropped. */
export function list<const P extends string>(
  path: P,
  rule: Words & TextRule & { max: number },
): Variable<readonly string[], P> {
  const parse = (given: string) => {
    const value = given.split(',').flatMap((entry) => entry.trim() || []);
    if (value.length > rule.max) return { problem: `must have at most ${rule.max} entries` };
    return value.every((entry) => rule.pattern.test(entry)) ? { value } : { problem: rule.problem };
  };
  return { ...COMMON, path, default: [], ...rule, parse };
}

function within(given: string, { min, max }: Range, problem: string): Parsed<number> {
  const value = /^\d{1,15}$/.test(given) ? Number(given) : NaN;
  return value >= min && value <= max ? { value } : { problem };
}
