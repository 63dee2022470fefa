import type { DisconnectReason } from './disconnect-reasons.js';
import { epochOf, nodeOf, type PresenceRecord } from './presence-record.js';

/** A record as callers see it: a PresenceOf (presence/presence.openapi.ts). */
export interface PresenceView {
  connected: boolean;
  /** Times are ISO 8601, UTC. */
  since: string;
  lastSeen: string;
  nodeId: string;
  epoch: number;
  session: string;
  principal: string;
  lastDisconnect: { reason: DisconnectReason; at: string } | null;
}

/** @param heardAt when the client of a connection of this node was last heard; null: it has none. No errors. */
export function viewOf(record: PresenceRecord, revision: number, heardAt: number | null): PresenceView {
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
