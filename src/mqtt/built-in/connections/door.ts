import type { Audit } from '../../../access/audit.js';
import type { Clock } from '../../../resilience/clock.js';
import type { MqttConfig } from '../../../config/config.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { MqttMetrics } from '../../../telemetry/mqtt-metrics.js';
import type { ConnectPacket, SubscribePacket, UnsubscribePacket } from '../packets/packet.js';
import type { ReaderOptions } from '../packets/packet-reader.js';
import type { PacketWriter } from '../packets/packet-writer.js';
import type { MemoryBudget } from '../sessions/memory-budget.js';
import type { SessionStore } from '../sessions/session-store.js';
import type { Wills } from '../sessions/wills.js';
import type { Connection } from './connection.js';
import type { Deadlines } from './deadlines.js';
import type { Flusher } from './flusher.js';
import type { IncomingRequest } from './incoming-request.js';
import type { ReadTurns } from './read-turns.js';

/** What all connections of a node share. */
export interface Door {
  readonly config: MqttConfig;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly metrics: MqttMetrics;
  readonly readerOptions: ReaderOptions;
  readonly writer: PacketWriter;
  readonly flusher: Flusher;
  readonly turns: ReadTurns;
  readonly deadlines: Deadlines;
  readonly budget: MemoryBudget;
  readonly sessions: SessionStore;
  readonly wills: Wills;
  /** Whether this topic has a subscriber. */
  wants(topic: string): boolean;
  /** Tells those who are subscribed to request topics of a request that was carried out. */
  readonly forward: (request: IncomingRequest) => void;
  /** Settles the request: has it answered, or takes the token in it. */
  published(connection: Connection, request: IncomingRequest): void;
  connect(connection: Connection, packet: ConnectPacket): void;
  subscribe(connection: Connection, packet: SubscribePacket): void;
  unsubscribe(connection: Connection, packet: UnsubscribePacket): void;
  /** The connection holds more or less of a packet that is not complete. */
  heldChanged(connection: Connection, bytes: number): void;
  /** @param reason with which it was ended; success: its client has ended it; null: the network has */
  left(connection: Connection, reason: number | null): void;
}
