import { ServiceError } from '../errors/service-error.js';
import { checkSection, quote } from './check-values.js';
import { emptyObject, isObject, parseJson } from './json.js';
import type { Limits } from './limits.js';
import { mergePatchOf } from './merge-patch-of.js';
import type { UpdateRequest } from './parse-request.js';
import { readOperation, type PatchOperation } from './patch-operation.js';
import { PatchedState } from './patched-state.js';
import {
  isTombstone,
  SECTIONS,
  type Json,
  type JsonObject,
  type Section,
  type ShadowState,
} from './shadow-document.js';

/** Operations of one patch: each of them may copy a part of the document. */
export const MAX_OPERATIONS = 100;

/**
 * A checked JSON Patch (RFC 6902) of one section, or of the whole state, whose sections always exist for it. What it does
 * depends on the document that it meets, so it becomes an update only there: the merge patch that has the same result. So
 * rules, limits, stamps and messages are those of updates.
 */
export class JsonPatch {
  /** The body is an array, so it has no room for one. */
  readonly clientToken = undefined;

  constructor(private readonly operations: readonly PatchOperation[]) {}

  /**
   * The update that does the same to `current`. Pure.
   * @throws ServiceError patchFailed, tooLarge, tooDeep, numberTooLarge, invalidStateNode, stateNotObject,
   * desiredNotObject, reportedNotObject
   */
  updateOf(current: ShadowState | null, limits: Limits): UpdateRequest {
    const before = stateOf(current);
    const patched = new PatchedState(before, limits);
    this.operations.forEach((operation, i) => patched.apply(operation, i));
    const state = mergePatchOf(before, checked(patched.state), patched.touched);
    for (const section of SECTIONS) {
      const patch = state?.[section];
      if (patch) checkSection(section, patch, limits.maxDepth);
    }
    return { state };
  }
}

function stateOf(current: ShadowState | null): JsonObject {
  const state = emptyObject();
  const document = current === null || isTombstone(current) ? null : current;
  for (const section of SECTIONS) state[section] = document?.[section] ?? emptyObject();
  return state;
}

/** @throws ServiceError for a state that a shadow cannot have */
function checked(state: Json | undefined): JsonObject {
  if (!isObject(state)) throw new ServiceError('stateNotObject');
  for (const member of Object.keys(state)) {
    if (member !== 'desired' && member !== 'reported') throw new ServiceError('invalidStateNode', quote(member));
    if (!isObject(state[member])) throw new ServiceError(`${member}NotObject`);
  }
  return state;
}

/**
 * Reads a JSON Patch.
 * @param section that its paths lie in; undefined: they begin with `/desired` or `/reported`
 * @throws ServiceError tooLarge, notUtf8, invalidJson, invalidPatch, tooDeep
 */
export function parseJsonPatch(body: Uint8Array, section: Section | undefined, limits: Limits): JsonPatch {
  if (body.length > limits.maxRequestBytes) throw new ServiceError('tooLarge');
  const patch = parseJson(body, limits.maxDepth);
  if (!Array.isArray(patch)) throw new ServiceError('invalidPatch', 'it is an array of operations (RFC 6902)');
  if (patch.length > MAX_OPERATIONS) {
    throw new ServiceError('invalidPatch', `it has ${patch.length} operations; the most is ${MAX_OPERATIONS}`);
  }
  const base: readonly string[] = section === undefined ? [] : [section];
  return new JsonPatch(patch.map((operation, i) => readOperation(operation, i, base, limits.maxDepth)));
}
