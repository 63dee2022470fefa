import type { DisconnectPacket } from '../packets/packet.js';
import { ProtocolError } from '../packets/protocol-error.js';
import { REASON } from '../packets/reason-codes.js';
import { willBytes } from '../sessions/will.js';
import type { Connection } from './connection.js';
import type { Door } from './door.js';

/** Does what a DISCONNECT of its client asks for before the connection ends. @throws ProtocolError */
export function obeyDisconnect(connection: Connection, door: Door, { reason, properties }: DisconnectPacket): void {
  const { session, will } = connection;
  const { sessionExpiryInterval } = properties;
  if (sessionExpiryInterval !== undefined && session !== null) {
    if (sessionExpiryInterval > 0 && connection.isTransient)
      throw new ProtocolError(REASON.protocolError, 'a Session Expiry Interval after none');
    door.sessions.setExpiry(session, sessionExpiryInterval);
  }
  // MQTT-3.14.4-3
  if (reason !== REASON.success || will === null) return;
  door.budget.add(-willBytes(will));
  connection.will = null;
}
