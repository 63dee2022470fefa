import type { Json, JsonObject } from './shadow-document.js';
import { describeJsonFault } from './json-fault.js';
import { ServiceError } from '../errors/service-error.js';

/**
 * Reads and compares JSON of clients. Two rules keep `__proto__` and `constructor` plain members (PROTOCOL 2.2):
 * members are read as own properties only, and are written only into objects from `emptyObject`.
 */

// Strict UTF-8. A leading byte order mark is dropped, as RFC 8259 section 8.1 allows.
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses the bytes of a request. The result may be nested to any depth: walk it only with a limit.
 * @param maxDepth levels that the caller accepts, for the text of tooDeep
 * @throws ServiceError notUtf8, invalidJson; tooDeep when the parser itself gives up
 */
export function parseJson(bytes: Uint8Array, maxDepth: number): Json {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new ServiceError('notUtf8');
  }
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    // V8 parses without recursion; another engine may run out of stack.
    if (error instanceof RangeError) throw new ServiceError('tooDeep', String(maxDepth));
    throw new ServiceError('invalidJson', text === '' ? ': the body is empty' : ` at ${describeJsonFault(text)}`);
  }
}

/**
 * An object for members that clients name: it inherits nothing that could be read, called or set. Objects of
 * `Object.create(null)` do the same, but V8 keeps them as hash tables: copies and JSON take half as long again.
 */
export function emptyObject<T extends object = JsonObject>(): T {
  return new Members() as T;
}

const Members = function () {} as unknown as new () => object;
Members.prototype = Object.freeze(Object.create(null)) as object;

/** An own member, or undefined. Members that clients name are read in no other way. */
export function own<T>(object: { readonly [member: string]: T }, member: string): T | undefined {
  return Object.hasOwn(object, member) ? object[member] : undefined;
}

/** Whether a value is an object with members: no array, no null, not absent. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Bytes of the compact JSON of a value, in UTF-8. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Equality of PROTOCOL 2.4: types are distinct, numbers go by value, array order counts, member order does not. */
export function equalJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((element, i) => equalJson(element, b[i]!));
  }
  if (Array.isArray(b)) return false;
  const members = Object.keys(a);
  if (members.length !== Object.keys(b).length) return false;
  return members.every((member) => Object.hasOwn(b, member) && equalJson(a[member]!, b[member]!));
}
