import { epochOf, nodeOf, type PresenceRecord } from './presence-record.js';
import type { PresenceOf } from './presence.openapi.js';

/** @param heardAt when the client of a connection of this node was last heard; null: it has none. No errors. */
export function viewOf(record: PresenceRecord, revision: number, heardAt: number | null): PresenceOf {
  const { connected, since, lastSeen, session, principal, ended } = record;
  return {
    connected,
    since: timeOf(since),
    lastSeen: timeOf(heardAt ?? lastSeen),
    nodeId: nodeOf(record),
    epoch: epochOf(record, revision),
    session,
    principal,
    lastDisconnect: ended && { reason: ended.reason, at: timeOf(ended.at) },
  };
}

const timeOf = (milliseconds: number): string => new Date(milliseconds).toISOString();
