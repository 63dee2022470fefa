import { changeEventText } from '../document/change-event.js';
import { isTombstone } from '../document/shadow-document.js';
import { epochOf } from '../store/presence-record.js';
import { viewOf, type PresenceView } from '../store/presence-view.js';
import { PresenceUpdate } from '../store/presence-update.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { EventKind } from './watch-filter.js';

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

/** What a record tells, without its content. */
export interface EventHead {
  readonly kind: EventKind;
  /** Of a shadow its version; of a client its epoch, the same as it comes and as it goes: only revisions order these. */
  readonly version: number;
}

/** @throws Error for a record that is not readable */
export function eventHead(record: ShadowRecord): EventHead {
  if (record instanceof PresenceUpdate) {
    const { presence, position } = record;
    return { kind: 'presence', version: epochOf(presence, position.revision) };
  }
  const { state } = record;
  return { kind: isTombstone(state) ? 'deleted' : 'updated', version: state.version };
}

/** When it happened, in epoch milliseconds. @throws Error for a record that is not readable */
export const happenedAt = (record: ShadowRecord): number =>
  record instanceof PresenceUpdate ? record.presence.since : record.change.at;
