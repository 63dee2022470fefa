import { ServiceError } from '../errors/service-error.js';
import { quote } from './check-values.js';
import { emptyObject, equalJson } from './json.js';
import type { PatchOperation } from './patch-operation.js';
import { childAt, indexIn, valueAt } from './json-pointer.js';
import type { Limits } from './limits.js';
import type { Json, JsonObject } from './shadow-document.js';

/** The parts of a state that operations have touched, as a tree. An array is touched as a whole. */
export interface Touched {
  /** The value here was set, replaced or removed. */
  whole: boolean;
  readonly members: Map<string, Touched>;
}

/** Stands for the place behind the last element of an array (RFC 6901 section 4). */
const END = '-';

/** A state under the operations of a JSON Patch. Values are shared, never changed: each operation copies the way to its place. */
export class PatchedState {
  readonly touched: Touched = { whole: false, members: new Map() };
  #state: Json | undefined;
  #index = 0;
  #operation: PatchOperation | null = null;
  /** Characters that its operations may still copy: copies of copies would grow without end. */
  #copyable: number;
  /** Levels of the state: one more than a section has. */
  readonly #maxLevels: number;

  constructor(
    state: JsonObject,
    private readonly limits: Pick<Limits, 'maxDocumentBytes' | 'maxDepth'>,
  ) {
    this.#state = state;
    this.#copyable = limits.maxDocumentBytes;
    this.#maxLevels = limits.maxDepth + 1;
  }

  /** undefined: it was removed. */
  get state(): Json | undefined {
    return this.#state;
  }

  /**
   * Applies one operation. Pure but for this object, which is of no use after an error.
   * @param index place of the operation in its patch, for the error
   * @throws ServiceError patchFailed, tooLarge, tooDeep
   */
  apply(operation: PatchOperation, index: number): void {
    this.#index = index;
    this.#operation = operation;
    switch (operation.op) {
      case 'test':
        if (!equalJson(this.#find(operation.path), operation.value)) this.#fail('the value there is another');
        return;
      case 'add':
        return this.#put(operation.path, operation.value, true);
      case 'replace':
        return this.#put(operation.path, operation.value, false);
      case 'remove':
        this.#remove(operation.path);
        return;
      case 'copy': {
        const value = this.#find(operation.from);
        this.#copyable -= weightOf(value, this.#copyable);
        if (this.#copyable < 0) throw new ServiceError('tooLarge');
        return this.#put(operation.path, value, true);
      }
      case 'move': {
        const value = this.#remove(operation.from);
        return this.#put(operation.path, value, true);
      }
    }
  }

  #find(path: readonly string[]): Json {
    const value = valueAt(this.#state, path);
    return value === undefined ? this.#fail('there is nothing at this place') : value;
  }

  #put(path: readonly string[], value: Json, adds: boolean): void {
    if (path.length + levelsOf(value) > this.#maxLevels) {
      throw new ServiceError('tooDeep', String(this.limits.maxDepth));
    }
    this.#touch(path);
    if (path.length === 0) return void (this.#state = value);
    this.#edit(path, (parent, part) => {
      if (Array.isArray(parent)) return this.#putElement(parent, part, value, adds);
      if (!adds && !Object.hasOwn(parent, part)) return this.#fail('there is no such member');
      return withMember(parent, part, value);
    });
  }

  #putElement(array: readonly Json[], part: string, value: Json, adds: boolean): Json[] {
    const index = adds && part === END ? array.length : indexIn(part);
    if (index === null) return this.#fail('an element of an array has a whole number');
    if (index > array.length - (adds ? 0 : 1)) return this.#fail(`the array has ${array.length} elements`);
    return array.toSpliced(index, adds ? 0 : 1, value);
  }

  /** What it has removed. */
  #remove(path: readonly string[]): Json {
    // First: a path of any length may be sent, and what is touched is kept.
    const value = this.#find(path);
    this.#touch(path);
    if (path.length === 0) this.#state = undefined;
    else
      this.#edit(path, (parent, part) =>
        Array.isArray(parent) ? parent.toSpliced(Number(part), 1) : withoutMember(parent, part),
      );
    return value;
  }

  /** Puts what `edit` makes of the parent of a place where the parent was. */
  #edit(path: readonly string[], edit: (parent: Json[] | JsonObject, part: string) => Json): void {
    const parents: (Json[] | JsonObject)[] = [];
    let value = this.#state;
    for (const part of path) {
      if (typeof value !== 'object' || value === null) return this.#fail('there is nothing that it could be in');
      parents.push(value);
      value = childAt(value, part);
    }
    let changed = edit(parents.at(-1)!, path.at(-1)!);
    for (let i = parents.length - 2; i >= 0; i--) {
      const [parent, part] = [parents[i]!, path[i]!];
      changed = Array.isArray(parent) ? parent.with(Number(part), changed) : withMember(parent, part, changed);
    }
    this.#state = changed;
  }

  #touch(path: readonly string[]): void {
    let node = this.touched;
    let value = this.#state;
    for (const part of path) {
      if (Array.isArray(value)) break;
      let next = node.members.get(part);
      if (next === undefined) node.members.set(part, (next = { whole: false, members: new Map() }));
      node = next;
      value = childAt(value, part);
    }
    node.whole = true;
  }

  #fail(reason: string): never {
    const { op, path } = this.#operation!;
    throw new ServiceError('patchFailed', `operation [${this.#index}], ${op} ${quote(textOf(path))}: ${reason}`);
  }
}

/** A member that is there keeps its place. */
function withMember(object: JsonObject, member: string, value: Json): JsonObject {
  const copy = emptyObject();
  for (const each of Object.keys(object)) copy[each] = object[each]!;
  copy[member] = value;
  return copy;
}

function withoutMember(object: JsonObject, member: string): JsonObject {
  const copy = emptyObject();
  for (const each of Object.keys(object)) if (each !== member) copy[each] = object[each]!;
  return copy;
}

/** Levels of members and elements below a value. */
function levelsOf(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0;
  let levels = 0;
  for (const part of Object.values(value)) levels = Math.max(levels, 1 + levelsOf(part));
  return levels;
}

/** Characters of a value at least, no more of them counted than `most` and one. */
function weightOf(value: Json, most: number): number {
  if (typeof value === 'string') return value.length + 1;
  if (typeof value !== 'object' || value === null) return 1;
  let weight = 1;
  for (const [member, part] of Object.entries(value)) {
    if (weight > most) break;
    weight += (Array.isArray(value) ? 0 : member.length) + weightOf(part, most - weight);
  }
  return weight;
}

function textOf(path: readonly string[]): string {
  return path.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
