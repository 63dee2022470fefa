import { isObject, jsonBytes, own, parseJson } from '../document/json.js';
import { quote } from '../document/check-values.js';
import type { Limits } from '../document/limits.js';
import { checkState, type UpdateRequest } from '../document/parse-request.js';
import type { Json, JsonObject } from '../document/shadow-document.js';
import { checkShadowName, checkThingName } from '../document/shadow-name.js';
import { ServiceError } from '../errors/service-error.js';

/** A change of one shadow's desired section. */
export interface LineChange {
  readonly thing: string;
  /** null: the classic one. */
  readonly shadow: string | null;
  readonly update: UpdateRequest;
}

/** What a line says. */
export interface ParsedLine {
  /** As the client named it; null: it has no name, or none that could be read. */
  readonly id: string | null;
  /** What is wrong with the line instead of a change. */
  readonly change: LineChange | ServiceError;
}

/** UTF-16 units of an id. */
const MAX_ID = 128;
/** A misspelt member is refused: a version that is overlooked would let through what it was to stop. */
const MEMBERS = ['id', 'thing', 'shadow', 'desired', 'version'];

/** Reads one line, without what ends it. No errors. */
export function parseLine(line: Uint8Array, limits: Limits): ParsedLine {
  let id: string | null = null;
  try {
    const value = parseJson(line, limits.maxDepth);
    if (!isObject(value)) throw bad('The line', 'must be a JSON object with thing and desired');
    id = idOf(value);
    return { id, change: changeOf(value, limits) };
  } catch (error) {
    if (error instanceof ServiceError) return { id, change: error };
    throw error;
  }
}

function idOf(line: JsonObject): string | null {
  const id = own(line, 'id') ?? null;
  if (id === null || (typeof id === 'string' && id !== '' && id.length <= MAX_ID)) return id;
  throw bad('id', `must be a text of 1 to ${MAX_ID} characters`);
}

function changeOf(line: JsonObject, limits: Limits): LineChange {
  const strange = Object.keys(line).find((member) => !MEMBERS.includes(member));
  if (strange !== undefined)
    throw bad('The line', `has no member ${quote(strange)}; it may have ${MEMBERS.join(', ')}`);
  const thing = own(line, 'thing');
  if (typeof thing !== 'string') throw bad('thing', 'must be the name of a thing');
  checkThingName(thing);
  const shadow = shadowOf(own(line, 'shadow') ?? null);
  const desired = own(line, 'desired');
  if (desired === undefined) throw bad('desired', 'must be there: the members to change, or null to clear all');
  const state = { desired };
  checkState(state, limits.maxDepth);
  if (jsonBytes(desired) > limits.maxRequestBytes) {
    throw new ServiceError('tooLarge', `; desired: ${limits.maxRequestBytes} bytes`);
  }
  const version = versionOf(own(line, 'version') ?? null);
  return { thing, shadow, update: version === null ? { state } : { state, version } };
}

function shadowOf(name: Json): string | null {
  if (name === null) return null;
  if (typeof name !== 'string') throw bad('shadow', 'must be the name of a shadow');
  checkShadowName(name);
  return name;
}

function versionOf(version: Json): number | null {
  if (version === null) return null;
  if (typeof version === 'number' && Number.isSafeInteger(version) && version >= 0) return version;
  throw bad('version', 'must be a whole number from 0');
}

const bad = (member: string, what: string): ServiceError => new ServiceError('invalidRequest', `${member} ${what}`);
