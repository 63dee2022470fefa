import type { Answer } from '../call/call.js';
import { objectOf } from '../json.js';
import { clientError } from '../umbra-error.js';
import type { ShadowState } from './state.js';

/** A document as routes and streams of the service show it. */
export interface DocumentBody {
  readonly state: { readonly desired?: object; readonly reported?: object; readonly delta?: object };
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly version: number;
  readonly changedAt?: string;
}

/** Which shadow it is. */
export interface ShadowName {
  readonly thing: string;
  readonly shadow: string | null;
}

const STATE_MEMBERS = ['desired', 'reported', 'delta'] as const;

/** The body of an answer. @throws UmbraError bad-answer */
export function jsonOf(answer: Answer, isWrite = false): Record<string, unknown> {
  const body = objectOf(answer.text);
  if (body !== null) return body;
  const outcome = isWrite ? 'applied' : 'not-applied';
  const { status } = answer;
  throw clientError('bad-answer', 'the answer is no JSON object; is the address that of Umbra?', { status, outcome });
}

/** The revision that an answer names; 0: none. No errors. */
export const revisionOf = ({ headers }: Answer): number => Number(headers.get('umbra-revision') ?? 0);

/** @throws UmbraError bad-answer for what is no document */
export function stateOf<T>(body: object, { thing, shadow }: ShadowName, revision: number): ShadowState<T> {
  if (!isDocument(body)) throw clientError('bad-answer', 'the answer is no shadow; is the address that of Umbra?');
  const { state, metadata = {}, version, changedAt = null } = body;
  const { desired = {}, reported = {}, delta = null } = state;
  const known = { thing, shadow, desired, reported, delta, metadata, version, revision, changedAt };
  return known as unknown as ShadowState<T>;
}

/** The state of a shadow that does not exist. No errors. */
export const noState = <T>(name: ShadowName, revision: number): ShadowState<T> =>
  stateOf<T>({ state: {}, version: 0 }, name, revision);

function isDocument(body: object): body is DocumentBody {
  const { state, version } = body as Partial<DocumentBody>;
  if (typeof version !== 'number' || typeof state !== 'object' || state === null) return false;
  return STATE_MEMBERS.every((member) => typeof (state[member] ?? {}) === 'object');
}
