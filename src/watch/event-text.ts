import { changeEventText } from '../document/change-event.js';
import { viewOf, type PresenceView } from '../store/presence-view.js';
import { PresenceUpdate } from '../store/presence-update.js';
import type { ShadowRecord } from '../store/shadow-store.js';

/** A client has come or gone, as streams and sinks send it. */
export interface ThingPresenceEvent extends PresenceView {
  readonly kind: 'presence';
  readonly tenant: string;
  readonly thing: string;
  /** Of the storage, common to all shadows. */
  readonly revision: number;
}

/** @throws Error for a record that is not readable */
export function thingPresenceEvent({ key, position, presence }: PresenceUpdate): ThingPresenceEvent {
  const { tenant, thing } = key;
  const { revision } = position;
  return { kind: 'presence', tenant, thing, revision, ...viewOf(presence, revision, null) };
}

/** The event of a record as JSON, of whichever kind it is. @throws Error for a record that is not readable */
export const eventText = (record: ShadowRecord): string =>
  record instanceof PresenceUpdate ? JSON.stringify(thingPresenceEvent(record)) : changeEventText(record);
