import {
  keyReference,
  valueOf,
  valuesOf,
  WITHOUT_VALUE,
  type KeyReference,
  type PolicyContext,
} from './context-keys.js';
import { numberOf, OPERATORS, parseDate, parseRange, type Kind, type Operator } from './operators.js';
import { parsePattern, type Pattern, type Unresolved } from './pattern.js';
import { memberPlace, PolicyFault, quoted } from './policy-fault.js';
import { parseResource } from './resource-pattern.js';

/** How the values of a key with several are taken together. */
type Quantifier = 'all' | 'any' | 'one';

/** One key of one operator of a statement. */
export interface Condition {
  readonly key: KeyReference;
  /** Whether it holds; a variable without a value makes it what `unresolved` says. No errors. */
  holds(context: PolicyContext, unresolved: Unresolved): boolean;
}

/** Whether one value of a request is what one value of the document asks for. */
type Test = (asked: string, context: PolicyContext) => boolean;
interface Given {
  readonly test: Test;
  readonly pattern: Pattern | null;
}

const NAME = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/;
const QUANTIFIERS: Readonly<Record<string, Quantifier>> = { ForAllValues: 'all', ForAnyValue: 'any' };
/** What may be asked of the values of a key. */
const KINDS: Readonly<Record<KeyReference['type'], readonly Kind[]>> = {
  string: ['text', 'caseless', 'glob', 'number', 'date', 'null', 'bool'],
  bool: ['bool', 'text', 'caseless', 'glob', 'null'],
  address: ['address', 'text', 'glob', 'null'],
  resource: ['resource', 'null'],
  time: ['date', 'number', 'null'],
};

/**
 * @param place where the document has the operator
 * @param name operator, such as `ForAnyValue:StringLikeIfExists`
 * @param keyName key of the context
 * @param values of the document, one of which must hold
 * @throws PolicyFault for an unknown operator or key, or values that are not of its kind
 */
export function parseCondition(place: string, name: string, keyName: string, values: readonly string[]): Condition {
  const [, prefix, base = '', ifExists] = NAME.exec(name) ?? [];
  const operator = OPERATORS.get(base);
  if (!operator || (operator.kind === 'null' && (prefix ?? ifExists) !== undefined)) {
    throw new PolicyFault(place, `the operator ${quoted(name)} is unknown`);
  }
  const at = memberPlace(place, keyName);
  const key = keyReference(keyName);
  if (WITHOUT_VALUE.has(keyName.toLowerCase()))
    throw new PolicyFault(at, 'no request has a value for this key yet; name things and shadows as resources');
  if (key === null) throw new PolicyFault(at, 'the key is unknown');
  if (!KINDS[key.type].includes(operator.kind)) throw new PolicyFault(at, `${base} cannot be asked of this key`);
  if (operator.kind === 'null') return nullCondition(key, values, at);
  const given = values.map((value, index) =>
    parseGiven(values.length === 1 ? at : `${at}[${index}]`, key, operator, value),
  );
  return { key, holds: combined(key, operator, given, QUANTIFIERS[prefix ?? ''] ?? 'one', ifExists !== undefined) };
}

function nullCondition(key: KeyReference, values: readonly string[], at: string): Condition {
  const wanted = values.map((value) => parseBool(at, value));
  return { key, holds: (context) => wanted.includes((valuesOf(key, context)?.length ?? 0) === 0) };
}

function combined(
  key: KeyReference,
  { isNegated }: Operator,
  given: readonly Given[],
  quantifier: Quantifier,
  ifExists: boolean,
): Condition['holds'] {
  const patterns = given.flatMap(({ pattern }) => (pattern !== null && pattern.keys.length > 0 ? [pattern] : []));
  const holdsAbsent = quantifier === 'all' || ifExists || (isNegated && quantifier === 'one');
  const isResolved = (context: PolicyContext): boolean =>
    patterns.length === 0 || patterns.every((pattern) => pattern.isResolved(context));
  if (key.pick !== 'all') {
    return (context, unresolved) => {
      if (!isResolved(context)) return unresolved === 'anything';
      const value = valueOf(key, context);
      return value === undefined ? holdsAbsent : isOneOf(given, value, context) !== isNegated;
    };
  }
  // Without a prefix IAM leaves several values open: one that is meant is enough, and a Not wants none of them.
  const wantsAll = quantifier === 'all' || (isNegated && quantifier === 'one');
  return (context, unresolved) => {
    if (!isResolved(context)) return unresolved === 'anything';
    const asked = valuesOf(key, context);
    if (asked === undefined || asked.length === 0) return holdsAbsent;
    const fits = (value: string): boolean => isOneOf(given, value, context) !== isNegated;
    return wantsAll ? asked.every(fits) : asked.some(fits);
  };
}

function isOneOf(given: readonly Given[], value: string, context: PolicyContext): boolean {
  for (let at = 0; at < given.length; at++) if (given[at]!.test(value, context)) return true;
  return false;
}

function parseGiven(at: string, key: KeyReference, { kind, compare }: Operator, value: string): Given {
  const plain = (test: Test): Given => ({ test, pattern: null });
  if (kind === 'glob' || kind === 'text' || kind === 'caseless') return textGiven(at, kind, value);
  if (kind === 'resource') return resourceGiven(at, value);
  if (value.includes('${')) throw new PolicyFault(at, 'variables can be compared as strings and ARNs only');
  if (kind === 'address') return plain(parseRange(at, value));
  if (kind === 'bool') {
    const wanted = String(parseBool(at, value));
    return plain((asked) => asked === wanted || asked.toLowerCase() === wanted);
  }
  if (kind === 'date') {
    const given = parseDate(at, value);
    const read = key.scope === 'time' ? numberOf : dateOf;
    return plain((asked) => compare(read(asked), given));
  }
  const given = parseNumber(at, value);
  const read = key.scope === 'time' ? secondsOf : numberOf;
  return plain((asked) => compare(read(asked), given));
}

function textGiven(at: string, kind: Kind, value: string): Given {
  const pattern = kind === 'glob' ? parsePattern(at, value) : parsePattern(at, value, 'variables');
  if (kind === 'glob') return { pattern, test: (asked, context) => pattern.matches(asked, context, 'nothing') };
  if (kind === 'text') return { pattern, test: (asked, context) => pattern.text(context) === asked };
  return { pattern, test: (asked, context) => pattern.text(context)?.toLowerCase() === asked.toLowerCase() };
}

function resourceGiven(at: string, value: string): Given {
  const { resource } = parseResource(at, value);
  return { pattern: resource, test: (asked, context) => resource.matches(asked, context, 'nothing') };
}

function parseBool(at: string, value: string): boolean {
  if (value !== 'true' && value !== 'false')
    throw new PolicyFault(at, `expected true or false, found ${quoted(value)}`);
  return value === 'true';
}

function parseNumber(at: string, value: string): number {
  const number = numberOf(value);
  if (Number.isNaN(number)) throw new PolicyFault(at, `${quoted(value)} is no number`);
  return number;
}

/** The clock of a context has milliseconds, IAM compares whole seconds. */
const secondsOf = (milliseconds: string): number => Math.floor(numberOf(milliseconds) / 1000);

/** Milliseconds since 1970 of a value of a request, NaN when it is no date. */
function dateOf(text: string): number {
  try {
    return parseDate('', text);
  } catch {
    return NaN;
  }
}
