import { epochSeconds } from '../document/metadata.js';
import { documentsMessage } from '../document/messages.js';
import type { DeletedRecord } from '../shadow/delete.js';
import type { LiveRecord } from '../shadow/get.js';
import { changedAt } from '../shadow/send-document.js';
import type { DeletedShadow, ShadowSummary, StoredShadow } from './things.openapi.js';

/** A shadow in the list of things. `name` is null for the classic one. */
export const shadowSummary = ({ key, state, change }: LiveRecord): ShadowSummary => ({
  name: key.name,
  version: state.version,
  changedAt: changedAt(change),
});

/** A stored shadow in the answer for its thing. Only the document of the shadow itself has the delta. */
export const storedShadow = (record: LiveRecord): StoredShadow => {
  const { state, metadata } = documentsMessage(null, record.state, record.change).current;
  return { ...shadowSummary(record), state, metadata };
};

/** A deleted shadow: its last version, and when it was deleted. */
export const deletedShadow = ({ key, state, change }: DeletedRecord): DeletedShadow => ({
  name: key.name,
  version: state.version,
  timestamp: epochSeconds(change.at),
});
