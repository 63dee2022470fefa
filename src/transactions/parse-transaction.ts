import { checkSection, quote } from '../document/check-values.js';
import { isObject, jsonBytes, own, parseJson } from '../document/json.js';
import { pointerParts } from '../document/json-pointer.js';
import type { Limits } from '../document/limits.js';
import { checkState, clientTokenOf } from '../document/parse-request.js';
import type { Json, JsonObject, Section } from '../document/shadow-document.js';
import { SECTIONS } from '../document/shadow-document.js';
import { checkShadowName, checkThingName } from '../document/shadow-name.js';
import { ServiceError } from '../errors/service-error.js';
import { checkNesting } from './check-nesting.js';
import { parseSchema } from './guard-schema.js';
import {
  changedBy,
  MAX_CONDITIONS,
  MAX_OPERATIONS,
  MAX_POINTER,
  MAX_REQUEST_BYTES,
  placeName,
  type Condition,
  type ShadowPlace,
  type TransactionOperation,
  type TransactionRequest,
} from './transaction-request.js';

/** Levels around what a client stores: the request, its list, an operation, a condition. Schemas have their own bound. */
const OUTER_LEVELS = 40;

const COMMON = ['op', 'thing', 'shadow', 'version', 'conditions'];
/** A misspelt member is refused: a guard that is overlooked would let through what it was to stop. */
const MEMBERS: Readonly<Record<TransactionOperation['op'], readonly string[]>> = {
  update: [...COMMON, 'state'],
  replace: [...COMMON, 'section', 'value'],
  delete: COMMON,
  check: COMMON,
  promote: ['op', 'thing', 'from', 'to', 'version', 'fromVersion', 'schema', 'conditions'],
};

/**
 * Checks the body of a transaction as far as it can be checked without the shadows.
 * @throws ServiceError invalidRequest with the place in the body, and as parseUpdate
 */
export function parseTransaction(body: Uint8Array, limits: Limits): TransactionRequest {
  if (body.length > MAX_REQUEST_BYTES) throw new ServiceError('tooLarge');
  checkNesting(body, limits.maxDepth + OUTER_LEVELS);
  const request = parseJson(body, limits.maxDepth);
  if (!isObject(request)) throw bad('the body', 'must be a JSON object with operations');
  const clientToken = clientTokenOf(request, limits);
  try {
    onlyMembers(request, ['clientToken', 'operations'], 'the body');
    const list = own(request, 'operations');
    if (!Array.isArray(list) || list.length < 1 || list.length > MAX_OPERATIONS) {
      throw bad('operations', `must be a list of 1 to ${MAX_OPERATIONS} operations`);
    }
    const operations = list.map((each, i) => new OperationReader(each, i, limits).read());
    checkTogether(operations);
    return { operations, ...(clientToken !== undefined && { clientToken }) };
  } catch (error) {
    throw error instanceof ServiceError ? error.withToken(clientToken) : error;
  }
}

/** What is wrong with operations that are right by themselves. */
function checkTogether(operations: readonly TransactionOperation[]): void {
  const seen = new Set<string>();
  const deleted = new Map<string, number>();
  const changed = new Map<string, number>();
  operations.forEach((operation, i) => {
    for (const place of placesOf(operation)) seen.add(placeName(place));
    for (const place of changedBy(operation)) {
      const name = placeName(place);
      const other = operation.op === 'delete' ? changed.get(name) : deleted.get(name);
      if (other !== undefined) {
        throw bad(
          `operations[${i}]`,
          `one of operations ${other} and ${i} deletes ${name}, which the other one changes`,
        );
      }
      changed.set(name, i);
      if (operation.op === 'delete') deleted.set(name, i);
    }
  });
  if (seen.size <= MAX_OPERATIONS) return;
  throw bad('operations', `name ${seen.size} shadows with their conditions; ${MAX_OPERATIONS} are the most`);
}

/** All shadows that an operation names. No errors. */
export function placesOf(operation: TransactionOperation): readonly ShadowPlace[] {
  return [operation, ...(operation.op === 'promote' ? [operation.from] : []), ...operation.conditions];
}

class OperationReader {
  readonly #place: string;

  constructor(
    private readonly value: Json,
    index: number,
    private readonly limits: Limits,
  ) {
    this.#place = `operations[${index}]`;
  }

  read(): TransactionOperation {
    const { value } = this;
    if (!isObject(value)) throw bad(this.#place, 'must be an object');
    const op = own(value, 'op');
    if (typeof op !== 'string' || !Object.hasOwn(MEMBERS, op)) {
      throw bad(`${this.#place}.op`, `must be one of ${Object.keys(MEMBERS).join(', ')}`);
    }
    try {
      return this.#read(value, op as TransactionOperation['op']);
    } catch (error) {
      // What the document says of a value does not name its operation.
      if (!(error instanceof ServiceError) || error.message.startsWith(this.#place)) throw error;
      throw located(error, this.#place);
    }
  }

  #read(value: JsonObject, op: TransactionOperation['op']): TransactionOperation {
    onlyMembers(value, MEMBERS[op], this.#place);
    if (op === 'promote') return this.#promote(value);
    const place = this.#shadow(value, own(value, 'shadow'), 'shadow');
    const common = { ...place, ...this.#version(value, 'version'), conditions: this.#conditions(value, place) };
    if (op === 'update') {
      const state = own(value, 'state');
      if (state === undefined) throw new ServiceError('missingState');
      checkState(state, this.limits.maxDepth);
      this.#checkSize(state);
      return { op, ...common, state };
    }
    if (op === 'replace') return { op, ...common, ...this.#section(value) };
    return { op, ...common };
  }

  #promote(value: JsonObject): TransactionOperation {
    const from = this.#shadow(value, own(value, 'from'), 'from');
    if (from.shadow === null) throw bad(`${this.#place}.from`, 'must be the name of the staged shadow');
    const to = this.#shadow(value, own(value, 'to'), 'to');
    if (to.shadow === from.shadow) throw bad(`${this.#place}.to`, 'must be another shadow than from');
    const schema = own(value, 'schema');
    return {
      op: 'promote',
      ...to,
      from,
      ...this.#version(value, 'version'),
      ...this.#version(value, 'fromVersion'),
      ...(schema !== undefined && { schema: parseSchema(schema, `${this.#place}.schema`) }),
      conditions: this.#conditions(value, to),
    };
  }

  #section(value: JsonObject): { readonly section: Section; readonly value: JsonObject } {
    const section = own(value, 'section');
    if (section !== 'desired' && section !== 'reported') {
      throw bad(`${this.#place}.section`, `must be one of ${SECTIONS.join(', ')}`);
    }
    const members = own(value, 'value');
    if (!isObject(members)) throw bad(`${this.#place}.value`, 'must be the object that the section becomes');
    checkSection(section, members, this.limits.maxDepth);
    this.#checkSize(members);
    return { section, value: members };
  }

  #conditions(value: JsonObject, target: ShadowPlace): readonly Condition[] {
    const list = own(value, 'conditions') ?? [];
    const place = `${this.#place}.conditions`;
    if (!Array.isArray(list) || list.length > MAX_CONDITIONS) {
      throw bad(place, `must be a list of at most ${MAX_CONDITIONS} conditions`);
    }
    return list.map((each, i) => this.#condition(each, target, `${place}[${i}]`));
  }

  #condition(value: Json, target: ShadowPlace, place: string): Condition {
    if (!isObject(value)) throw bad(place, 'must be an object');
    onlyMembers(value, ['thing', 'shadow', 'path', 'equals', 'exists'], place);
    const isElsewhere = Object.hasOwn(value, 'thing') || Object.hasOwn(value, 'shadow');
    const thing = own(value, 'thing') ?? target.thing;
    const where = isElsewhere ? this.#shadow({ thing }, own(value, 'shadow'), 'shadow') : target;
    const path = own(value, 'path');
    const parts = typeof path === 'string' && path.length <= MAX_POINTER ? pointerParts(path) : null;
    if (parts === null || (parts.length > 0 && parts[0] !== 'desired' && parts[0] !== 'reported')) {
      throw bad(`${place}.path`, 'must be a JSON Pointer such as /reported/door, or empty for the whole shadow');
    }
    const [equals, exists] = [own(value, 'equals'), own(value, 'exists')];
    if ((equals === undefined) === (exists === undefined)) throw bad(place, 'must have one of equals and exists');
    if (exists !== undefined && typeof exists !== 'boolean') throw bad(`${place}.exists`, 'must be true or false');
    if (equals === null) throw bad(`${place}.equals`, 'no shadow has null; for an absent member send "exists": false');
    const expected = equals === undefined ? { exists: exists as boolean } : { equals };
    return { thing: where.thing, shadow: where.shadow, path: path as string, parts, expected };
  }

  #shadow({ thing }: JsonObject, name: Json | undefined, member: string): ShadowPlace {
    if (typeof thing !== 'string') throw bad(`${this.#place}.thing`, 'must be the name of a thing');
    checkThingName(thing);
    if (name === undefined || name === null) return { thing, shadow: null };
    if (typeof name !== 'string') throw bad(`${this.#place}.${member}`, 'must be the name of a shadow');
    checkShadowName(name);
    return { thing, shadow: name };
  }

  #version<M extends 'version' | 'fromVersion'>(value: JsonObject, member: M): { readonly [m in M]?: number } {
    const version = own(value, member) ?? undefined;
    if (version === undefined) return {};
    if (typeof version === 'number' && Number.isSafeInteger(version) && version >= 0) {
      return { [member]: version } as { readonly [m in M]?: number };
    }
    throw bad(`${this.#place}.${member}`, 'must be a whole number from 0');
  }

  /** Patches are stored beside the documents. */
  #checkSize(value: Json): void {
    const { maxRequestBytes } = this.limits;
    if (jsonBytes(value) > maxRequestBytes)
      throw new ServiceError('tooLarge', `; one operation: ${maxRequestBytes} bytes`);
  }
}

function onlyMembers(value: JsonObject, known: readonly string[], place: string): void {
  const strange = Object.keys(value).find((member) => !known.includes(member));
  if (strange !== undefined) throw bad(place, `has no member ${quote(strange)}; it may have ${known.join(', ')}`);
}

function located(error: ServiceError, place: string): ServiceError {
  const copy = new ServiceError(error.code, '', error.clientToken);
  copy.message = `${place}: ${error.message}`;
  return copy;
}

const bad = (place: string, what: string): ServiceError => new ServiceError('invalidRequest', `${place}: ${what}`);
