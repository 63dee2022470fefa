import { deleteAcceptedText, deltaText, documentsText, updateAcceptedText } from './message-texts.js';
import { isTombstone, type ChangeRecord, type ShadowState } from './shadow-document.js';

/** One commit, as its messages to MQTT subscribers need it. A ShadowRecord is one. */
export interface CommittedChange {
  readonly state: ShadowState;
  readonly change: ChangeRecord;
}

/** Topic of a message below `$aws/things/{thing}/shadow[/name/{shadow}]/`. */
export type ChangeTail = 'update/delta' | 'update/documents' | 'update/accepted' | 'delete/accepted';

/** Every tail of a change. */
export const CHANGE_TAILS: readonly ChangeTail[] = [
  'update/delta',
  'update/documents',
  'update/accepted',
  'delete/accepted',
];

/** Takes the messages of a change. */
export interface ChangeReader {
  /** Asked before the message is built. */
  wants(tail: ChangeTail): boolean;
  /** @param text the message as JSON */
  take(tail: ChangeTail, text: string): void;
}

/**
 * Hands the messages of one commit to its reader in their fixed order: delta, documents, accepted (PROTOCOL 1.4). Each is
 * built only when it is wanted, and when those before it are taken.
 * @param previous the state before the change, null if there was none; undefined leaves the documents message out
 * @throws what the reader throws
 */
export function readChange(
  { state, change }: CommittedChange,
  previous: ShadowState | null | undefined,
  reader: ChangeReader,
): void {
  if (isTombstone(state)) {
    if (reader.wants('delete/accepted')) reader.take('delete/accepted', deleteAcceptedText(state, change));
    return;
  }
  const delta = reader.wants('update/delta') ? deltaText(state, change) : null;
  if (delta !== null) reader.take('update/delta', delta);
  if (previous !== undefined && reader.wants('update/documents'))
    reader.take('update/documents', documentsText(previous, state, change));
  if (reader.wants('update/accepted')) reader.take('update/accepted', updateAcceptedText(state, change));
}
