import { randomUUID } from 'node:crypto';
import type { MqttConfig } from '../../../config/config.js';
import type { Logger } from '../../../telemetry/logger.js';
import { MAX_IN_FLIGHT } from '../../request-queue.js';
import type { Connection } from '../connections/connection.js';
import { MAX_UNACKNOWLEDGED } from '../connections/outbox.js';
import { OtherReply } from '../connections/reply.js';
import type { ConnackProperties, ConnectPacket } from '../packets/packet.js';
import type { PacketWriter } from '../packets/packet-writer.js';
import { REASON } from '../packets/reason-codes.js';
import type { MemoryBudget } from '../sessions/memory-budget.js';
import type { Opened, SessionStore } from '../sessions/session-store.js';
import { willBytes, type Will } from '../sessions/will.js';
import type { Wills } from '../sessions/wills.js';
import { authenticate, isClientId } from './authenticate.js';

/** What a CONNECT leads to: a refusal, or a session. */
export class ConnectGate {
  constructor(
    private readonly config: MqttConfig,
    private readonly budget: MemoryBudget,
    private readonly sessions: SessionStore,
    private readonly wills: Wills,
    private readonly logger: Logger,
  ) {}

  /** @returns null when the CONNECT is refused: the connection is being ended then */
  admit(connection: Connection, packet: ConnectPacket): Opened | null {
    connection.clientId = packet.clientId;
    const reason = this.#refusal(connection, packet);
    if (reason !== REASON.success) {
      connection.end(reason, 'CONNECT refused');
      return null;
    }
    const { level, clean, properties } = packet;
    const { outbox } = connection;
    outbox.level = level;
    outbox.maxPacketBytes = properties.maximumPacketSize ?? Infinity;
    outbox.receiveMaximum = Math.min(properties.receiveMaximum ?? MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED);
    connection.keepAliveMs = packet.keepAlive * 1000;
    connection.principal = authenticate(packet.userName, packet.password);
    const wished = expirySeconds(packet, this.config.sessionSeconds);
    connection.isTransient = wished === 0;
    const id = packet.clientId === '' ? randomUUID() : packet.clientId;
    connection.clientId = id;
    const opened = this.sessions.open(connection, {
      id,
      principal: connection.principal,
      clean,
      expirySeconds: wished,
    });
    this.wills.drop(opened.session);
    // It may end the other connection's session, or take it over: either way that connection has lost its place by now.
    opened.previous?.end(REASON.sessionTakenOver, 'another connection has its client identifier');
    connection.accepted(opened.session, connackOf(packet, opened, this.config));
    this.logger.debug({ clientId: id, version: level }, 'client connected');
    return opened;
  }

  /** REASON.success when the CONNECT is not refused. */
  #refusal(connection: Connection, packet: ConnectPacket): number {
    if (connection.isRefused) return REASON.serverUnavailable;
    const { level, clean, clientId, will, properties } = packet;
    if (!isClientId(clientId)) return REASON.clientIdentifierNotValid;
    // MQTT-3.1.3-8: only a session that ends with its connection may do without a name.
    if (clientId === '' && level === 4 && !clean) return REASON.clientIdentifierNotValid;
    if (properties.authenticationMethod !== undefined) return REASON.badAuthenticationMethod;
    if (will === null) return REASON.success;
    // MQTT-3.2.2-13 and MQTT-3.2.2-12. MQTT 3.1.1 has no words for it, so its wills are taken and never retained.
    if (level === 5 && will.retain) return REASON.retainNotSupported;
    if (level === 5 && will.qos === 2) return REASON.qosNotSupported;
    return this.#takeWill(connection, {
      topic: will.topic,
      payload: will.payload,
      qos: will.qos === 0 ? 0 : 1,
      delay: will.properties.willDelayInterval ?? 0,
    });
  }

  #takeWill(connection: Connection, will: Will): number {
    this.budget.add(willBytes(will));
    if (!this.sessions.makeRoom()) {
      this.budget.add(-willBytes(will));
      return REASON.quotaExceeded;
    }
    connection.will = will;
    return REASON.success;
  }
}

/** Seconds for which the session outlives the connection; `most` stands for "never ends". */
function expirySeconds({ level, clean, properties }: ConnectPacket, most: number): number {
  if (level === 5) return properties.sessionExpiryInterval ?? 0;
  return clean ? 0 : most;
}

function connackOf(packet: ConnectPacket, { session, isPresent }: Opened, config: MqttConfig): OtherReply {
  const { sessionExpiryInterval = 0 } = packet.properties;
  const properties: ConnackProperties | null =
    packet.level === 4
      ? null
      : {
          receiveMaximum: MAX_IN_FLIGHT,
          maximumQos: 1,
          retainAvailable: 0,
          maximumPacketSize: config.maxPacketBytes,
          sharedSubscriptionAvailable: 0,
          ...(packet.clientId === '' && { assignedClientIdentifier: session.id }),
          ...(session.expirySeconds !== sessionExpiryInterval && { sessionExpiryInterval: session.expirySeconds }),
        };
  return new OtherReply((writer: PacketWriter) => void writer.connack(isPresent, REASON.success, properties));
}
