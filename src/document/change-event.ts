import { computeDelta, deltaState } from './delta.js';
import { snapshotText } from './message-texts.js';
import { documentsMessage, type Snapshot } from './messages.js';
import {
  isTombstone,
  type ChangeRecord,
  type ChangeTrace,
  type JsonObject,
  type ShadowState,
  type StatePatch,
} from './shadow-document.js';
import { removedMembers } from './removed-members.js';
import { patchTextOf } from './stored-document.js';

/** One change as every stream sends it: the data of `change` and `initial` events (docs/streams.md). */
export interface ChangeEvent {
  readonly kind: 'updated' | 'deleted';
  readonly tenant: string;
  readonly thing: string;
  /** null is the classic shadow. */
  readonly shadow: string | null;
  readonly version: number;
  /** Revision of the storage, common to all shadows. */
  readonly revision: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** As the client sent it; null also for a delete. */
  readonly patch: StatePatch;
  /** Of removed-members.ts. */
  readonly removed: string[] | null;
  /** The members of desired that differ from reported; null when none does. */
  readonly delta: JsonObject | null;
  readonly document: Snapshot | null;
  /** The document before, null if there was none; only for readers that ask for it. */
  readonly previous?: Snapshot | null;
  /** Why it is not there although the reader has asked for it. */
  readonly previousMissing?: PreviousMissing;
  readonly clientToken?: string;
  readonly principal: string;
  /** The trace of its request, where that was sampled: W3C Trace Context. */
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** `compacted`: the storage no longer has it. `unavailable`: the storage has not answered in time. */
export type PreviousMissing = 'compacted' | 'unavailable';

/** The parts of a stored record that an event is made of. */
export interface ChangedShadow {
  readonly key: { readonly tenant: string; readonly thing: string; readonly name: string | null };
  readonly state: ShadowState;
  readonly change: ChangeRecord;
  readonly position: { readonly revision: number };
}

/** The event of a stored change. It shares its values with the record: serialise it, do not change it. No errors. */
export function changeEvent({ key, state, change, position }: ChangedShadow): ChangeEvent {
  const document = isTombstone(state) ? null : state;
  return {
    kind: document ? 'updated' : 'deleted',
    tenant: key.tenant,
    thing: key.thing,
    shadow: key.name,
    version: state.version,
    revision: position.revision,
    time: new Date(change.at).toISOString(),
    patch: change.patch ?? null,
    removed: removedMembers(change.patch ?? null, document === null),
    delta: document && (computeDelta(document)?.state ?? null),
    document: document && documentsMessage(null, document, change).current,
    ...(change.clientToken !== undefined && { clientToken: change.clientToken }),
    principal: change.principal,
    ...(change.trace && traceMembers(change.trace)),
  };
}

/** An empty tracestate is none. */
export function traceMembers({
  traceparent,
  tracestate,
}: ChangeTrace): Pick<ChangeEvent, 'traceparent' | 'tracestate'> {
  return { traceparent, ...(tracestate !== '' && { tracestate }) };
}

/** The event as JSON, put together from the texts of the record. No errors. */
export function changeEventText({ key, state, change, position }: ChangedShadow): string {
  const document = isTombstone(state) ? null : state;
  const delta = document && deltaState(document);
  const removed = removedMembers(change.patch ?? null, document === null);
  const token = change.clientToken === undefined ? '' : `"clientToken":${JSON.stringify(change.clientToken)},`;
  const trace = change.trace === undefined ? '' : `,${JSON.stringify(traceMembers(change.trace)).slice(1, -1)}`;
  return (
    `{"kind":"${document ? 'updated' : 'deleted'}","tenant":${JSON.stringify(key.tenant)},` +
    `"thing":${JSON.stringify(key.thing)},` +
    `"shadow":${JSON.stringify(key.name)},"version":${state.version},"revision":${position.revision},` +
    `"time":"${new Date(change.at).toISOString()}","patch":${patchTextOf(change)},` +
    `"removed":${JSON.stringify(removed)},"delta":${JSON.stringify(delta)},` +
    `"document":${document ? snapshotText(document) : 'null'},${token}` +
    `"principal":${JSON.stringify(change.principal)}${trace}}`
  );
}

/**
 * The text of an event with the document before.
 * @param previous its state; or why it is not known. No errors.
 */
export function withPreviousText(event: string, previous: ShadowState | null | PreviousMissing): string {
  return `${event.slice(0, -1)},${previousText(previous)}}`;
}

function previousText(previous: ShadowState | null | PreviousMissing): string {
  if (typeof previous === 'string') return `"previousMissing":"${previous}"`;
  return `"previous":${previous === null || isTombstone(previous) ? 'null' : snapshotText(previous)}`;
}
