import { checkSection, quote } from './check-values.js';
import { isObject, own, parseJson } from './json.js';
import { largestRequest, type Limits } from './limits.js';
import type { Json, JsonObject, StatePatch } from './shadow-document.js';
import { SECTIONS } from './shadow-document.js';
import { ServiceError } from '../errors/service-error.js';

/** A checked update. `state` is the client's own object: the answer echoes it as sent (PROTOCOL 1.3). */
export interface UpdateRequest {
  readonly state: StatePatch;
  readonly clientToken?: string;
  /** The version the client means to change; 0 is a value, not "absent". */
  readonly version?: number;
}

/**
 * Checks an update in the order of PROTOCOL 2.7, steps 1 to 6. Unknown members beside `state` are ignored; of
 * duplicate members the last counts. Integers beyond 2^53 lose digits, as in every JavaScript parser. A payload above
 * `largestRequest` bytes is refused unread: a megabyte of brackets takes 0.3 s to parse.
 * @throws ServiceError notUtf8, invalidJson, missingState, invalidClientToken, stateNotObject, invalidStateNode,
 * desiredNotObject, reportedNotObject, invalidVersion, tooDeep, nullInArray, numberTooLarge, tooLarge; with the client
 * token when a valid one could be read
 */
export function parseUpdate(payload: Uint8Array, limits: Limits): UpdateRequest {
  if (payload.length > largestRequest(limits)) throw new ServiceError('tooLarge');
  const request = parseJson(payload, limits.maxDepth);
  if (!isObject(request)) throw new ServiceError('missingState');
  const token = own(request, 'clientToken') ?? undefined;
  const tokenIsValid = token === undefined || isClientToken(token, limits);
  const clientToken = tokenIsValid ? token : undefined;
  try {
    const state = own(request, 'state');
    if (state === undefined) throw new ServiceError('missingState');
    if (!tokenIsValid) throw new ServiceError('invalidClientToken');
    if (payload.length > limits.maxRequestBytes) throw new ServiceError('tooLarge');
    checkShape(state);
    const version = readVersion(request);
    checkDepth(state, limits.maxDepth);
    const update: { -readonly [member in keyof UpdateRequest]: UpdateRequest[member] } = { state };
    if (clientToken !== undefined) update.clientToken = clientToken;
    if (version !== undefined) update.version = version;
    return update;
  } catch (error) {
    throw error instanceof ServiceError ? error.withToken(clientToken) : error;
  }
}

/**
 * The client token of a get or a delete; all else in the payload has no effect, and a payload that is not a JSON object
 * has no token (PROTOCOL 1.2, 7.1); nor has one above `largestRequest` bytes. `null` counts as absent.
 * @throws ServiceError invalidClientToken (PROTOCOL 2.6 makes no difference between the operations)
 */
export function parseClientToken(payload: Uint8Array, limits: Limits): string | undefined {
  if (payload.length === 0 || payload.length > largestRequest(limits)) return undefined;
  let request: Json;
  try {
    request = parseJson(payload, limits.maxDepth);
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
  return isObject(request) ? clientTokenOf(request, limits) : undefined;
}

/**
 * Checks the `state` of an update that is a part of a larger request.
 * @param maxDepth levels of a section
 * @throws ServiceError stateNotObject, invalidStateNode, desiredNotObject, reportedNotObject, tooDeep, nullInArray,
 * numberTooLarge
 */
export function checkState(state: Json, maxDepth: number): asserts state is StatePatch & Json {
  checkShape(state);
  checkDepth(state, maxDepth);
}

/**
 * The client token of a request, if it has one; null counts as none.
 * @throws ServiceError invalidClientToken
 */
export function clientTokenOf(request: JsonObject, limits: Limits): string | undefined {
  const token = own(request, 'clientToken') ?? undefined;
  if (token === undefined || isClientToken(token, limits)) return token;
  throw new ServiceError('invalidClientToken');
}

function isClientToken(token: Json, limits: Limits): token is string {
  return typeof token === 'string' && Buffer.byteLength(token) <= limits.maxClientTokenBytes;
}

function checkShape(state: Json): asserts state is StatePatch & Json {
  if (state === null) return;
  if (!isObject(state)) throw new ServiceError('stateNotObject');
  for (const member of Object.keys(state)) {
    if (member !== 'desired' && member !== 'reported') throw new ServiceError('invalidStateNode', quote(member));
    const section = state[member]!;
    if (section !== null && !isObject(section)) throw new ServiceError(`${member}NotObject`);
  }
}

function readVersion(request: JsonObject): number | undefined {
  const version = own(request, 'version') ?? undefined;
  if (version === undefined) return undefined;
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0) {
    throw new ServiceError('invalidVersion');
  }
  return version;
}

function checkDepth(state: StatePatch, maxDepth: number): void {
  if (state === null) return;
  for (const section of SECTIONS) {
    const patch = own<JsonObject | null>(state, section);
    if (patch) checkSection(section, patch, maxDepth);
  }
}
