import Schema from 'typebox/schema';
import { emptyObject, isObject, jsonBytes } from '../document/json.js';
import type { Json, JsonObject } from '../document/shadow-document.js';
import { quote } from '../document/check-values.js';
import { ServiceError } from '../errors/service-error.js';

/** Bytes of one schema. */
const MAX_BYTES = 16 * 1024;
/** Levels of schemas within schemas. */
const MAX_LEVELS = 32;
/** Schemas of one `allOf`, `anyOf` or `oneOf`: the library copies the list of those that match at each of them. */
const MAX_BRANCHES = 32;
/** UTF-16 units of a text that count as one value more: `maxLength` and `const` walk through it. */
const UNITS_OF_STEP = 32;

/** What the value of a keyword must be. */
type Kind =
  'schema' | 'schemas' | 'branches' | 'map' | 'number' | 'count' | 'names' | 'name-lists' | 'types' | 'values' | 'any';

/**
 * The keywords of JSON Schema (2020-12) that a guard may use. Others are refused, since a guard that is not understood
 * must not hold. No reference: neither can a schema lead to another place, nor into itself. No pattern: a regular
 * expression of a client can take the node's whole time. So each part of a schema meets each part of a document once.
 */
const KEYWORDS: Readonly<Record<string, Kind>> = {
  ...{ type: 'types', enum: 'values', const: 'any' },
  ...{ properties: 'map', additionalProperties: 'schema', propertyNames: 'schema', required: 'names' },
  ...{ dependentRequired: 'name-lists', dependentSchemas: 'map', minProperties: 'count', maxProperties: 'count' },
  ...{ prefixItems: 'schemas', items: 'schema', contains: 'schema', minContains: 'count', maxContains: 'count' },
  ...{ minItems: 'count', maxItems: 'count', minLength: 'count', maxLength: 'count' },
  ...{ minimum: 'number', maximum: 'number', exclusiveMinimum: 'number', exclusiveMaximum: 'number' },
  ...{ multipleOf: 'number', allOf: 'branches', anyOf: 'branches', oneOf: 'branches', not: 'schema' },
  ...{ if: 'schema', then: 'schema', else: 'schema' },
  ...{ title: 'any', description: 'any', $comment: 'any', default: 'any', examples: 'any', $schema: 'any' },
};
const TYPES = new Set<Json>(['null', 'boolean', 'object', 'array', 'number', 'integer', 'string']);

/** Steps of one schema within a schema: the library looks for each keyword in it, which takes about 2 µs in all. */
const STEPS_OF_SCHEMA = 8;

/** A schema that is checked. */
export interface GuardSchema {
  readonly schema: JsonObject;
  /** Steps that it takes at most with each value of a document. */
  readonly steps: number;
}

/**
 * Checks a schema of a client before it is used.
 * @param place such as `operations[3].schema`, for the error
 * @throws ServiceError invalidRequest
 */
export function parseSchema(schema: Json, place: string): GuardSchema {
  if (!isObject(schema)) throw bad(place, 'a schema is an object');
  if (jsonBytes(schema) > MAX_BYTES) throw bad(place, `a schema takes at most ${MAX_BYTES} bytes`);
  const schemas = checkSchema(schema, place, 0);
  return { schema, steps: sizeOf(schema) + STEPS_OF_SCHEMA * schemas };
}

/** Values in a value, itself among them, and more for long texts and names. No errors: it has a limit of depth. */
export function sizeOf(value: Json): number {
  if (typeof value === 'string') return 1 + Math.floor(value.length / UNITS_OF_STEP);
  if (typeof value !== 'object' || value === null) return 1;
  let size = 1;
  for (const [name, each] of Object.entries(value)) size += Math.floor(name.length / UNITS_OF_STEP) + sizeOf(each);
  return size;
}

/**
 * Why a value is not what the schema says; null: it is. The schema is interpreted: no code is made of it. No errors.
 */
export function faultBySchema({ schema }: GuardSchema, value: JsonObject): string | null {
  const bare = withoutInherited(value);
  if (Schema.Check(schema, bare)) return null;
  const [, errors] = Schema.Errors(schema, bare);
  const first = errors.find(({ message }) => message !== '');
  return first ? `${first.instancePath || 'desired'} ${first.message}` : 'it does not match';
}

/** A copy in which a schema does not find `toString` where there is none: the library reads inherited members too. */
function withoutInherited(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutInherited);
  if (!isObject(value)) return value;
  const copy = emptyObject();
  for (const member of Object.keys(value)) copy[member] = withoutInherited(value[member]!);
  return copy;
}

/** The number of schemas that it has, itself among them. */
function checkSchema(schema: Json, place: string, level: number): number {
  if (typeof schema === 'boolean') return 1;
  if (!isObject(schema)) throw bad(place, 'a schema is an object, true or false');
  if (level >= MAX_LEVELS) throw bad(place, `schemas are nested at most ${MAX_LEVELS} levels deep`);
  let schemas = 1;
  for (const [keyword, value] of Object.entries(schema)) {
    const kind = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword]! : null;
    const at = `${place}.${quote(keyword)}`;
    if (kind === null) throw bad(at, 'this keyword is not supported; see docs/transactions.md for those that are');
    schemas += checkKeyword(kind, value, at, level);
  }
  return schemas;
}

function checkKeyword(kind: Kind, value: Json, place: string, level: number): number {
  if (kind === 'schema') return checkSchema(value, place, level + 1);
  if (kind === 'branches' && Array.isArray(value) && value.length > MAX_BRANCHES) {
    throw bad(place, `has ${value.length} schemas; ${MAX_BRANCHES} are the most`);
  }
  if ((kind === 'schemas' || kind === 'branches') && Array.isArray(value) && value.length > 0) {
    return value.reduce<number>((sum, each, i) => sum + checkSchema(each, `${place}[${i}]`, level + 1), 0);
  }
  if (kind === 'map' && isObject(value)) {
    const schemas = Object.entries(value);
    return schemas.reduce((sum, [name, each]) => sum + checkSchema(each, `${place}.${quote(name)}`, level + 1), 0);
  }
  if (!isPlain(kind, value)) throw bad(place, EXPECTED[kind]);
  return 0;
}

function isPlain(kind: Kind, value: Json): boolean {
  if (kind === 'any') return true;
  if (kind === 'number') return typeof value === 'number' && Number.isFinite(value);
  if (kind === 'count') return Number.isSafeInteger(value) && (value as number) >= 0;
  if (kind === 'values') return Array.isArray(value) && value.length > 0;
  if (kind === 'names') return isListOfNames(value);
  if (kind === 'name-lists') return isObject(value) && Object.values(value).every(isListOfNames);
  if (kind === 'types') return [value].flat().every((each) => TYPES.has(each));
  return false;
}

const isListOfNames = (value: Json): boolean => Array.isArray(value) && value.every((name) => typeof name === 'string');

const EXPECTED: Readonly<Record<Kind, string>> = {
  schema: 'must be a schema',
  schemas: 'must be a list of schemas',
  branches: 'must be a list of schemas',
  map: 'must be an object of schemas',
  number: 'must be a number',
  count: 'must be a whole number from 0',
  names: 'must be a list of names',
  'name-lists': 'must be an object of lists of names',
  types: `must be one of ${[...TYPES].join(', ')}, or a list of them`,
  values: 'must be a list of values',
  any: '',
};

const bad = (place: string, what: string): ServiceError => new ServiceError('invalidRequest', `${place}: ${what}`);
