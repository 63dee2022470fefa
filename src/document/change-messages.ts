import { deleteAcceptedText, deltaText, documentsText, updateAcceptedText } from './message-texts.js';
import { isTombstone, type ChangeRecord, type ShadowState } from './shadow-document.js';

/** One commit, as its messages to MQTT subscribers need it. A ShadowRecord is one. */
export interface CommittedChange {
  readonly state: ShadowState;
  readonly change: ChangeRecord;
}

export type ChangeTail = 'update/delta' | 'update/documents' | 'update/accepted' | 'delete/accepted';

/** Topic below `$aws/things/{thing}/shadow[/name/{shadow}]/`, and the message as JSON. */
export type ChangeMessage = readonly [tail: ChangeTail, text: string];

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
    if (wants('delete/accepted')) yield ['delete/accepted', deleteAcceptedText(state, change)];
    return;
  }
  const delta = wants('update/delta') ? deltaText(state, change) : null;
  if (delta !== null) yield ['update/delta', delta];
  if (previous !== undefined && wants('update/documents'))
    yield ['update/documents', documentsText(previous, state, change)];
  if (wants('update/accepted')) yield ['update/accepted', updateAcceptedText(state, change)];
}
