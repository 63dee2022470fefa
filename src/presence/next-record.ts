import type { DisconnectReason } from '../store/disconnect-reasons.js';
import type { PresenceRecord, Stored } from '../store/presence-record.js';

/** A connection of this node, as far as its record needs it. Times are epoch milliseconds. */
export interface Session {
  readonly id: string;
  readonly instance: string;
  readonly principal: string;
  readonly address: string;
  readonly since: number;
  /** Whether a record of it is known to have been stored: what is stored of another node since is newer. */
  readonly isRecorded: boolean;
  /** null: it is open. */
  readonly end: SessionEnd | null;
}

export interface SessionEnd {
  readonly at: number;
  readonly lastSeen: number;
  readonly reason: DisconnectReason;
}

/**
 * What has to be written of a session over what is stored; null: nothing, for it is written, or another connection of the
 * client has come since. The write must be guarded by what is stored. Pure.
 *
 * An open session is always written: of two connections at once the one that is recorded last counts. The end of a session
 * is written only over its own record or that of an earlier connection, so it never hides a newer one, nor the end of one.
 */
export function nextRecord(session: Session, stored: Stored | null): PresenceRecord | null {
  const { id, instance, principal, address, since, isRecorded, end } = session;
  const before = stored?.record ?? null;
  const isOwn = before?.session === id;
  const base = { instance, session: id, principal, address };
  if (end === null) {
    if (isOwn && before.connected) return null;
    return { connected: true, since, lastSeen: since, ...base, epoch: null, ended: endBefore(before, since) };
  }
  // Of this life of the node only the newest session of a client is asked about: another one is older.
  const isElsewhere = before !== null && before.instance !== instance;
  if (isOwn ? !before.connected : isElsewhere && (isRecorded || before.connected)) return null;
  const { at, lastSeen, reason } = end;
  const epoch = isOwn && stored !== null ? stored.revision : null;
  return { connected: false, since: at, lastSeen, ...base, epoch, ended: { reason, at } };
}

/** How the connection before has ended: one that was never told to have ended has been taken over. */
function endBefore(before: PresenceRecord | null, since: number): PresenceRecord['ended'] {
  return before?.connected ? { reason: 'taken-over', at: since } : (before?.ended ?? null);
}

/** The record of a client whose node is gone. Pure. */
export function lostRecord(
  { record, revision }: { record: PresenceRecord; revision: number },
  at: number,
): PresenceRecord {
  return {
    ...record,
    connected: false,
    since: at,
    epoch: record.epoch ?? revision,
    ended: { reason: 'node-lost', at },
  };
}

export type PresenceChange = 'connected' | 'disconnected';

/** What two records of a client, one after the other, tell its followers; null: nothing new. Pure. */
export function changeBetween(before: PresenceRecord | null, after: PresenceRecord): PresenceChange | null {
  const isSame = before?.session === after.session && before.connected === after.connected;
  if (isSame) return null;
  return after.connected ? 'connected' : 'disconnected';
}
