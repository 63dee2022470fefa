import { ServiceError } from '../errors/service-error.js';
import { isObject, own } from './json.js';
import { pointerParts } from './json-pointer.js';
import type { Json } from './shadow-document.js';

/** One operation (RFC 6902 section 4). Its places lie in the state: `desired` or `reported` is their first part. */
export type PatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: readonly string[]; readonly value: Json }
  | { readonly op: 'remove'; readonly path: readonly string[] }
  | { readonly op: 'move' | 'copy'; readonly path: readonly string[]; readonly from: readonly string[] };

/**
 * Reads one operation of a JSON Patch.
 * @param index its place in the patch, for the error
 * @param base what its paths begin behind
 * @param maxDepth levels of a section
 * @throws ServiceError invalidPatch, tooDeep
 */
export function readOperation(json: Json, index: number, base: readonly string[], maxDepth: number): PatchOperation {
  return new OperationReader(json, index, base, maxDepth).read();
}

/** Reads one operation; unknown members of it are ignored (RFC 6902 section 4). */
class OperationReader {
  constructor(
    private readonly json: Json,
    /** Its place in the patch. */
    private readonly index: number,
    private readonly base: readonly string[],
    private readonly maxDepth: number,
  ) {}

  read(): PatchOperation {
    const op = this.#member('op');
    const path = this.#place('path');
    switch (op) {
      case 'add':
      case 'replace':
      case 'test':
        return { op, path, value: this.#value(op) };
      case 'remove':
        return { op, path };
      case 'copy':
        return { op, path, from: this.#place('from') };
      case 'move': {
        const from = this.#place('from');
        const isInside = from.length < path.length && from.every((part, i) => part === path[i]);
        return isInside ? this.#fail('from must not be above path: nothing moves into itself') : { op, path, from };
      }
      default:
        return this.#fail('op must be add, remove, replace, move, copy or test');
    }
  }

  #member(name: string): Json | undefined {
    return isObject(this.json) ? own(this.json, name) : this.#fail('an operation is an object');
  }

  #place(name: 'path' | 'from'): readonly string[] {
    const text = this.#member(name);
    const pointer = typeof text === 'string' ? pointerParts(text) : null;
    if (pointer === null) return this.#fail(`${name} must be a JSON Pointer (RFC 6901), such as /colors/0`);
    return [...this.base, ...pointer];
  }

  #value(op: string): Json {
    const value = this.#member('value');
    if (value === undefined) return this.#fail(`${op} needs a value`);
    // One level more than a section has: the whole state may be replaced.
    const hasNull = findNull(value, this.maxDepth + 1, this.maxDepth);
    if (hasNull && op !== 'test') return this.#fail('a shadow holds no null; use remove, or leave the member out');
    return value;
  }

  #fail(reason: string): never {
    throw new ServiceError('invalidPatch', `operation [${this.index}]: ${reason}`);
  }
}

/** @throws ServiceError tooDeep for a value of more than `levels` levels */
function findNull(value: Json, levels: number, maxDepth: number): boolean {
  if (value === null) return true;
  if (typeof value !== 'object') return false;
  const parts = Object.values(value);
  if (parts.length > 0 && levels === 0) throw new ServiceError('tooDeep', String(maxDepth));
  let found = false;
  for (const part of parts) found = findNull(part, levels - 1, maxDepth) || found;
  return found;
}
