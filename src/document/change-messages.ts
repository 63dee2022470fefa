import {
  deleteAccepted,
  deltaMessage,
  documentsMessage,
  updateAccepted,
  type DeleteAccepted,
  type DeltaMessage,
  type DocumentsMessage,
  type UpdateAccepted,
} from './messages.js';
import { isTombstone, type ChangeRecord, type ShadowState } from './shadow-document.js';

/** One commit, as its messages to MQTT subscribers need it. A ShadowRecord is one. */
export interface CommittedChange {
  readonly state: ShadowState;
  readonly change: ChangeRecord;
}

/** Topic below `$aws/things/{thing}/shadow[/name/{shadow}]/`, and the message before JSON.stringify. */
export type ChangeMessage =
  | readonly [tail: 'update/delta', body: DeltaMessage]
  | readonly [tail: 'update/documents', body: DocumentsMessage]
  | readonly [tail: 'update/accepted', body: UpdateAccepted]
  | readonly [tail: 'delete/accepted', body: DeleteAccepted];

export type ChangeTail = ChangeMessage[0];

/** Every tail of a change. */
export const CHANGE_TAILS: readonly ChangeTail[] = [
  'update/delta',
  'update/documents',
  'update/accepted',
  'delete/accepted',
];

/**
 * The messages of one commit in their fixed order: delta, documents, accepted (PROTOCOL 1.4). Each is built only when
 * it is wanted, and only when the caller takes it. Pure. No errors.
 * @param previous the state before the change, null if there was none; undefined leaves the documents message out
 */
export function* changeMessages(
  { state, change }: CommittedChange,
  previous: ShadowState | null | undefined,
  wants: (tail: ChangeTail) => boolean,
): Generator<ChangeMessage, void, undefined> {
  if (isTombstone(state)) {
    if (wants('delete/accepted')) yield ['delete/accepted', deleteAccepted(state, change)];
    return;
  }
  const delta = wants('update/delta') ? deltaMessage(state, change) : null;
  if (delta !== null) yield ['update/delta', delta];
  if (previous !== undefined && wants('update/documents'))
    yield ['update/documents', documentsMessage(previous, state, change)];
  if (wants('update/accepted')) yield ['update/accepted', updateAccepted(state, change)];
}
