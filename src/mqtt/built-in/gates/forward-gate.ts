import type { AedesPublishPacket, Client } from 'aedes';
import type { Logger } from '../../../telemetry/logger.js';
import type { AedesClient, OutgoingPacket } from '../aedes/aedes-parts.js';
import { connectionOf, endConnection, REASON, type Connection } from '../connection.js';

/** Bytes of a PUBLISH beside topic and payload: fixed header, lengths, identifier, empty properties. */
const OVERHEAD = 12;

/** What the publisher says of the message that it is handing out right now. */
export interface Outgoing {
  readonly tenant: string;
  /** Set for a delta: where it comes in the history. */
  readonly revision: number | null;
  /** Whether sessions keep it. */
  readonly kept: boolean;
}

/**
 * Decides for one message and one subscriber whether it goes out now. What waits for a subscriber is counted here; one
 * that lets more than `maxBacklogBytes` pile up is cut off, and nobody else waits for it.
 */
export class ForwardGate {
  /** Set while a message is handed out, which is synchronous. */
  current: Outgoing | null = null;

  constructor(
    private readonly maxBacklogBytes: number,
    private readonly logger: Logger,
  ) {}

  /** The `authorizeForward` of aedes. */
  readonly decide = (anyClient: Client, anyPacket: AedesPublishPacket): AedesPublishPacket | null => {
    const client = anyClient as AedesClient;
    const packet = anyPacket as unknown as OutgoingPacket;
    const connection = connectionOf(client);
    if (connection.cutOff || !this.#isItsTurn(client, connection, packet)) return null;
    const size = packet.topic.length + packet.payload.length + OVERHEAD;
    // MQTT-3.1.2-24: a packet larger than the client's maximum is dropped as if it had been sent.
    if (client.maximumPacketSize !== undefined && size > client.maximumPacketSize) return null;
    if (!this.#isNewest(connection, packet.topic)) return null;
    return this.#fits(client, connection, size) ? anyPacket : null;
  };

  /** Messages for a session wait in it until its backlog is through; before the CONNACK nothing may be sent at all. */
  #isItsTurn(client: AedesClient, connection: Connection, packet: OutgoingPacket): boolean {
    if (this.current !== null && this.current.tenant !== connection.principal.tenant) return false;
    const isReplayed = this.current === null && packet.brokerId === null;
    const waits = connection.replaying && this.current?.kept !== false;
    return isReplayed || (client.connected && !waits);
  }

  #isNewest(connection: Connection, topic: string): boolean {
    const revision = this.current?.revision ?? null;
    const sent = connection.deltaRevisions?.get(topic);
    if (revision === null || sent === undefined) return true;
    if (revision <= sent) return false;
    connection.deltaRevisions?.set(topic, revision);
    return true;
  }

  #fits(client: AedesClient, connection: Connection, size: number): boolean {
    const waiting = client.conn.writableLength + connection.unwrittenBytes;
    if (waiting > this.maxBacklogBytes) {
      this.logger.warn({ clientId: client.id, reason: 'too-slow', waiting }, 'subscriber cut off');
      endConnection(client, REASON.quotaExceeded, 'too slow');
      return false;
    }
    // aedes writes in the next setImmediate phase; from then on the socket counts.
    if (connection.unwrittenBytes === 0) setImmediate(() => (connection.unwrittenBytes = 0));
    connection.unwrittenBytes += size;
    return true;
  }
}
