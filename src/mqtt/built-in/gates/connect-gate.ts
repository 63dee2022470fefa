import { randomUUID } from 'node:crypto';
import { actorOf, type Audit } from '../../../access/audit.js';
import type { Authenticator, Identity } from '../../../access/authenticator.js';
import type { Authorizer, ConnectFacts } from '../../../access/authorizer.js';
import { ANONYMOUS, type Principal } from '../../../access/principal.js';
import type { MqttConfig } from '../../../config/config.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { ConnectResult, MqttMetrics } from '../../../telemetry/mqtt-metrics.js';
import { OUTCOME_OF } from '../../../telemetry/request-metrics.js';
import { MAX_IN_FLIGHT } from '../../request-queue.js';
import type { Connection } from '../connections/connection.js';
import { MAX_UNACKNOWLEDGED } from '../connections/outbox.js';
import { OtherReply } from '../connections/reply.js';
import type { ConnackProperties, ConnectPacket, Will as ConnectWill } from '../packets/packet.js';
import type { PacketWriter } from '../packets/packet-writer.js';
import { REASON } from '../packets/reason-codes.js';
import type { MemoryBudget } from '../sessions/memory-budget.js';
import type { Opened, SessionStore } from '../sessions/session-store.js';
import { willBytes, type Will } from '../sessions/will.js';
import type { Wills } from '../sessions/wills.js';
import { connectFacts } from './connect-facts.js';
import { credentialsOf, isClientId } from './credentials.js';

export interface ConnectGateParts {
  readonly config: MqttConfig;
  readonly budget: MemoryBudget;
  readonly sessions: SessionStore;
  readonly wills: Wills;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly audit: Audit;
  readonly metrics: MqttMetrics;
  readonly logger: Logger;
}

/** What a CONNECT leads to: a refusal, or a session. */
export class ConnectGate {
  constructor(private readonly parts: ConnectGateParts) {}

  /** @param admitted is called with the session, unless the CONNECT is refused: the connection is being ended then */
  admit(connection: Connection, packet: ConnectPacket, admitted: (opened: Opened) => void): void {
    connection.clientId = packet.clientId;
    const reason = refusalOf(connection, packet);
    if (reason !== REASON.success) {
      this.#count(reason === REASON.serverUnavailable ? 'too_many' : 'invalid');
      return connection.end(reason, 'CONNECT refused');
    }
    const { excess } = connection.how;
    if (excess !== undefined) return this.#refuse(connection, REASON.quotaExceeded, excess);
    const identity = this.#identify(connection, packet);
    if (!(identity instanceof Promise)) return this.#open(connection, packet, identity, admitted);
    connection.hold(true);
    identity
      .then((known) => {
        if (!connection.isOpening) return;
        this.#open(connection, packet, known, admitted);
        connection.hold(false);
      })
      .catch((error: unknown) => connection.fail(error));
  }

  #count(result: ConnectResult): void {
    const { connects, connectedBy } = this.parts.metrics;
    connects.add(connectedBy[result]);
  }

  #identify(connection: Connection, packet: ConnectPacket): Identity | Promise<Identity> {
    const { authenticator } = this.parts;
    if (!authenticator.isRequired) return ANONYMOUS;
    // Proven by the request that opened its WebSocket.
    const { how, stream } = connection;
    return how.proven ?? authenticator.authenticate(credentialsOf(packet, how.socket ?? stream));
  }

  #open(connection: Connection, packet: ConnectPacket, identity: Identity, admitted: (opened: Opened) => void): void {
    if (identity instanceof ServiceError) return this.#refuse(connection, reasonOf(identity), identity);
    const id = packet.clientId === '' ? randomUUID() : packet.clientId;
    connection.clientId = id;
    const connect = connectFacts(packet, expirySeconds(packet, this.parts.config.sessionSeconds));
    if (!this.#mayConnect(connection, identity, id, connect))
      return this.#refuse(connection, REASON.notAuthorized, new ServiceError('mayNotConnect'), identity);
    const excess = this.parts.sessions.excess(id, identity);
    if (excess !== null) return this.#refuse(connection, REASON.quotaExceeded, excess, identity);
    if (packet.will !== null && !this.#takeWill(connection, packet.will))
      return this.#refuse(connection, REASON.quotaExceeded, new ServiceError('overloaded'), identity);
    connection.principal = identity;
    const opened = this.#session(connection, packet, id);
    opened.session.connect = connect;
    connection.accepted(opened.session, connackOf(packet, opened, this.parts.config));
    this.#count('accepted');
    this.parts.logger.debug({ clientId: id, version: packet.level }, 'client connected');
    admitted(opened);
  }

  #session(connection: Connection, packet: ConnectPacket, id: string): Opened {
    const { level, clean, properties } = packet;
    const { outbox, principal } = connection;
    outbox.level = level;
    outbox.maxPacketBytes = properties.maximumPacketSize ?? Infinity;
    outbox.receiveMaximum = Math.min(properties.receiveMaximum ?? MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED);
    connection.keepAliveMs = packet.keepAlive * 1000;
    const wished = expirySeconds(packet, this.parts.config.sessionSeconds);
    connection.isTransient = wished === 0;
    const opened = this.parts.sessions.open(connection, { id, principal, clean, expirySeconds: wished });
    this.parts.wills.drop(opened.session);
    // It may end the other connection's session, or take it over: either way that connection has lost its place by now.
    opened.previous?.end(REASON.sessionTakenOver, 'another connection has its client identifier');
    return opened;
  }

  #mayConnect({ address }: Connection, principal: Principal, clientId: string, connect: ConnectFacts): boolean {
    const { authorizer } = this.parts;
    if (!authorizer.isRequired) return true;
    return authorizer.allows(principal, 'iot:Connect', `client/${clientId}`, { clientId, address, connect });
  }

  /** @param principal null: the caller is not known */
  #refuse(connection: Connection, reason: number, error: ServiceError, principal: Principal | null = null): void {
    const { clientId, address } = connection;
    const { audit, authorizer, logger } = this.parts;
    const outcome = OUTCOME_OF[error.code];
    this.#count(outcome === 'denied' || outcome === 'too_many' ? outcome : 'unavailable');
    // The audit has its own line, which a flood does not repeat.
    const level = authorizer.isRequired ? 'debug' : 'info';
    logger[level]({ clientId, address, reason: error.code }, 'CONNECT refused');
    audit.record({
      ...{ action: 'mqtt:connect', actor: principal && actorOf(principal), target: `client/${clientId}` },
      ...{ tenant: principal?.tenant ?? null, address, clientId },
      ...{ outcome: 'refused', code: error.authCode ?? error.code },
    });
    connection.end(reason, 'CONNECT refused');
  }

  /** @returns false: there is no memory for it */
  #takeWill(connection: Connection, { topic, payload, qos, properties }: ConnectWill): boolean {
    const will: Will = { topic, payload, qos: qos === 0 ? 0 : 1, delay: properties.willDelayInterval ?? 0 };
    const { budget, sessions } = this.parts;
    budget.add(willBytes(will));
    if (!sessions.makeRoom()) {
      budget.add(-willBytes(will));
      return false;
    }
    connection.will = will;
    return true;
  }
}

/** REASON.success when nothing about the CONNECT itself is wrong. */
function refusalOf(connection: Connection, { level, clean, clientId, will, properties }: ConnectPacket): number {
  if (connection.how.isRefused) return REASON.serverUnavailable;
  if (!isClientId(clientId)) return REASON.clientIdentifierNotValid;
  // MQTT-3.1.3-8: only a session that ends with its connection may do without a name.
  if (clientId === '' && level === 4 && !clean) return REASON.clientIdentifierNotValid;
  if (properties.authenticationMethod !== undefined) return REASON.badAuthenticationMethod;
  // MQTT-3.2.2-13 and MQTT-3.2.2-12. MQTT 3.1.1 has no words for it, so its wills are taken and never retained.
  if (level === 5 && will?.retain) return REASON.retainNotSupported;
  if (level === 5 && will?.qos === 2) return REASON.qosNotSupported;
  return REASON.success;
}

/** The CONNACK of a caller that is not known. */
function reasonOf({ status }: ServiceError): number {
  if (status === 401) return REASON.badUserNameOrPassword;
  if (status === 429) return REASON.connectionRateExceeded;
  return status === 403 ? REASON.notAuthorized : REASON.serverUnavailable;
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
