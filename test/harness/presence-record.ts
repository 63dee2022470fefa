import type { Position } from '../../src/store/position.js';
import { writeRecord, type PresenceRecord } from '../../src/store/presence-record.js';
import { PresenceUpdate } from '../../src/store/presence-update.js';

/** A record of a client that is connected to the node umbra-1. */
export const presenceRecord = (session: string, connected = true): PresenceRecord => ({
  ...{ connected, since: 1_700_000_000_000, lastSeen: 1_700_000_000_000, instance: 'umbra-1.0000abcd', session },
  ...{ principal: 'p', address: '127.0.0.1', epoch: connected ? null : 7 },
  ended: connected ? null : { reason: 'client', at: 1_700_000_000_000 },
});

/** The same as the feed brings it. */
export const presenceUpdate = (
  thing: string,
  session: string,
  position: Position,
  connected = true,
  tenant = 'acme',
): PresenceUpdate =>
  new PresenceUpdate(tenant, thing, position, Buffer.from(writeRecord(presenceRecord(session, connected))));
