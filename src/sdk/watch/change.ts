import { stateOf, type DocumentBody } from '../shadow/read-state.js';
import type { AnyState, DeepPartial, DesiredOf, Patch, ReportedOf, ShadowState } from '../shadow/state.js';

/** A document in a stream. */
export interface ChangedDocument<T = AnyState> {
  readonly state: { readonly desired?: Partial<DesiredOf<T>>; readonly reported?: Partial<ReportedOf<T>> };
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly version: number;
}

/** A change of one shadow as the stream brings it. More members may come. */
export interface ChangeData<T = AnyState> {
  readonly kind: 'updated' | 'deleted';
  readonly tenant: string;
  readonly thing: string;
  /** null: the classic shadow. */
  readonly shadow: string | null;
  /** Of a deletion, that of the document that was deleted. */
  readonly version: number;
  readonly revision: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Who made the change. */
  readonly principal: string;
  readonly clientToken?: string;
  /** The trace of its request (W3C Trace Context); absent: it was not sampled. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** As it was sent; null for a deletion. */
  readonly patch: Patch<T> | null;
  /** JSON Pointers of the members that the patch has removed; null: too many. */
  readonly removed: readonly string[] | null;
  /** What desired has and reported has not; null: nothing. */
  readonly delta: DeepPartial<DesiredOf<T>> | null;
  /** After the change; null for a deletion. */
  readonly document: ChangedDocument<T> | null;
  /** With the option `previous`: before the change; null: there was none. */
  readonly previous?: ChangedDocument<T> | null;
  readonly previousMissing?: 'compacted' | 'unavailable';
}

/** What `watch` brings. */
export interface Change<T = AnyState> extends ChangeData<T> {
  /** It is no change but the shadow as it is: with the option `initial`, before the changes. */
  readonly isInitial: boolean;
  /** Resumes behind this change, on any node; null for the initial state, which comes whole or again. */
  readonly cursor: string | null;
}

/** The state that a change has left; null: the shadow was deleted. @throws UmbraError bad-answer */
export function followed<T>(change: ChangeData): ShadowState<T> | null {
  const { document, delta, time, revision } = change;
  if (document === null) return null;
  const state = { ...document.state, ...(delta !== null && { delta }) };
  return stateOf<T>({ ...document, state, changedAt: time } as DocumentBody, change, revision);
}
