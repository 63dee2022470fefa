import { computeDelta, deltaState } from './delta.js';
import { snapshotText } from './message-texts.js';
import { documentsMessage, type Snapshot } from './messages.js';
import {
  isTombstone,
  type ChangeRecord,
  type JsonObject,
  type ShadowState,
  type StatePatch,
} from './shadow-document.js';
import { patchTextOf } from './stored-document.js';

/** One change as every stream sends it: the data of `change` and `initial` events (docs/streams.md). */
export interface ChangeEvent {
  readonly kind: 'updated' | 'deleted';
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
  /** The members of desired that differ from reported; null when none does. */
  readonly delta: JsonObject | null;
  readonly document: Snapshot | null;
  readonly clientToken?: string;
  readonly principal: string;
}

/** The parts of a stored record that an event is made of. */
export interface ChangedShadow {
  readonly key: { readonly thing: string; readonly name: string | null };
  readonly state: ShadowState;
  readonly change: ChangeRecord;
  readonly position: { readonly revision: number };
}

/** The event of a stored change. It shares its values with the record: serialise it, do not change it. No errors. */
export function changeEvent({ key, state, change, position }: ChangedShadow): ChangeEvent {
  const document = isTombstone(state) ? null : state;
  return {
    kind: document ? 'updated' : 'deleted',
    thing: key.thing,
    shadow: key.name,
    version: state.version,
    revision: position.revision,
    time: new Date(change.at).toISOString(),
    patch: change.patch ?? null,
    delta: document && (computeDelta(document)?.state ?? null),
    document: document && documentsMessage(null, document, change).current,
    ...(change.clientToken !== undefined && { clientToken: change.clientToken }),
    principal: change.principal,
  };
}

/** The event as JSON, put together from the texts of the record. No errors. */
export function changeEventText({ key, state, change, position }: ChangedShadow): string {
  const document = isTombstone(state) ? null : state;
  const delta = document && deltaState(document);
  const token = change.clientToken === undefined ? '' : `"clientToken":${JSON.stringify(change.clientToken)},`;
  return (
    `{"kind":"${document ? 'updated' : 'deleted'}","thing":${JSON.stringify(key.thing)},` +
    `"shadow":${JSON.stringify(key.name)},"version":${state.version},"revision":${position.revision},` +
    `"time":"${new Date(change.at).toISOString()}","patch":${patchTextOf(change)},"delta":${JSON.stringify(delta)},` +
    `"document":${document ? snapshotText(document) : 'null'},${token}"principal":${JSON.stringify(change.principal)}}`
  );
}
