import type { Duplex } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { ACCESS, type Access } from '../../access/access.module.js';
import type { Audit } from '../../access/audit.js';
import type { Authorizer } from '../../access/authorizer.js';
import { CONFIG, type Config, type MqttConfig } from '../../config/config.js';
import type { ChangeTail } from '../../document/change-messages.js';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import type { ServiceError } from '../../errors/service-error.js';
import type { Fence, ShadowKey, ShadowRecord } from '../../store/shadow-store.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { METRICS, Metrics } from '../../telemetry/metrics.js';
import { connectionReadings, type MqttMetrics } from '../../telemetry/mqtt-metrics.js';
import type { Accepted } from './connections/accepted.js';
import { Connection } from './connections/connection.js';
import { Deadlines } from './connections/deadlines.js';
import type { Door } from './connections/door.js';
import { Flusher } from './connections/flusher.js';
import type { IncomingRequest, RequestHandler } from './connections/incoming-request.js';
import { leavingOf } from './connections/leaving.js';
import { ReadTurns } from './connections/read-turns.js';
import { OtherReply } from './connections/reply.js';
import { serveStream } from './connections/serve-stream.js';
import { wayOf } from './connections/way.js';
import { AccessReview } from './gates/access-review.js';
import { ConnectGate } from './gates/connect-gate.js';
import { PublishGate } from './gates/publish-gate.js';
import { RenewalGate } from './gates/renewal-gate.js';
import { SubscribeGate } from './gates/subscribe-gate.js';
import type { ConnectPacket, SubscribePacket, UnsubscribePacket } from './packets/packet.js';
import type { ReaderOptions } from './packets/packet-reader.js';
import { PacketWriter } from './packets/packet-writer.js';
import { encodeUserProperties } from './packets/properties-writer.js';
import { REASON } from './packets/reason-codes.js';
import { MemoryBudget } from './sessions/memory-budget.js';
import { SharedMessage, type Message } from './sessions/message.js';
import type { Session } from './sessions/session.js';
import { SessionStore, type Opened } from './sessions/session-store.js';
import { Wills } from './sessions/wills.js';
import type { Audience } from './subscriptions/audience.js';
import { eachSession, identifiersOf, isFor } from './subscriptions/each-session.js';
import { firstOf, type Few } from './subscriptions/few.js';
import { GrantedFilter } from './subscriptions/granted-filter.js';
import { Subscribers } from './subscriptions/subscribers.js';
import { RENEW_TOPIC, shadowTopic } from '../topics.js';
import { userPropertiesOf } from '../trace-properties.js';

export type { Message } from './sessions/message.js';

/** Filters in one SUBSCRIBE or UNSUBSCRIBE; AWS takes 8. More end the connection. */
const MAX_FILTERS = 64;
/** Half packets of this size and more are given up first when memory is short. */
const LARGE_PACKET_BYTES = 16 * 1024;

/** Why connections end with the node. */
export const SHUTTING_DOWN = 'the node is shutting down';

/** The built-in broker: connections, sessions, subscriptions, and the delivery of messages. */
@Injectable()
export class MqttBroker implements Door {
  readonly config: MqttConfig;
  readonly writer = new PacketWriter();
  readonly flusher = new Flusher();
  readonly turns = new ReadTurns();
  readonly deadlines = new Deadlines();
  readonly budget = new MemoryBudget();
  readonly readerOptions: ReaderOptions;
  readonly sessions: SessionStore;
  readonly wills: Wills;
  readonly audit: Audit;
  readonly metrics: MqttMetrics;
  readonly #authorizer: Authorizer;
  /** A client has subscribed, or resumed a session with subscriptions; `hasMissed`: changes in between are no longer available. */
  onSubscribed: (connection: Connection, filters: readonly string[], hasMissed: boolean) => void = () => {};
  onUnsubscribed: (connection: Connection, filters: readonly string[]) => void = () => {};
  /** A client is connected, and has said its own identifier; set before the first connection. */
  onConnected: (connection: Connection) => void = () => {};
  /** Any client has left; the reason is null when the network has ended it, and success when its client has. */
  onLeft: (connection: Connection, reason: number | null) => void = () => {};
  /**
   * What the writes of a connection depend on: null, nothing; an error, that they are refused. Null in its place: no
   * write of any connection does. Set before the first connection.
   */
  fenceOf: ((connection: Connection) => Fence | ServiceError | null) | null = null;
  /** Answers requests; set before the first connection. */
  handle: RequestHandler = (request) => request.settle('withheld');
  readonly #subscribers = new Subscribers();
  readonly #connectGate: ConnectGate;
  readonly #subscribeGate: SubscribeGate;
  readonly #publishGate: PublishGate;
  readonly #renewalGate: RenewalGate;
  readonly #review: AccessReview;
  #connected = 0;

  constructor(
    @Inject(CONFIG) { mqtt, presence }: Config,
    @Inject(CLOCK) readonly clock: Clock,
    @Inject(LOGGER) readonly logger: Logger,
    @Inject(ACCESS) { authenticator, authorizer, audit, sessions: limits }: Access,
    @Inject(METRICS) { mqtt: metrics }: Metrics = new Metrics(),
  ) {
    this.metrics = metrics;
    this.writer.sent = (type) => metrics.sent(type);
    this.audit = audit;
    this.#authorizer = authorizer;
    this.config = mqtt;
    const { deadlines, budget } = this;
    this.readerOptions = {
      maxPacketBytes: mqtt.maxPacketBytes,
      maxFilters: MAX_FILTERS,
      topicAliasMaximum: 0,
      monotonic: () => deadlines.now,
      received: (type) => metrics.received(type),
    };
    this.sessions = new SessionStore(mqtt, clock, logger, this.#subscribers, budget, limits);
    this.wills = new Wills(clock, budget, (request) => this.handle(request), this.forward);
    this.sessions.onEnded = (session) => this.wills.ended(session);
    const { sessions, wills } = this;
    metrics.sessions.read = () => sessions.size;
    sessions.onDropped = () => metrics.dropped.add(metrics.sessionFull);
    const sumOf = (what: (session: Session) => number): number => {
      let sum = 0;
      for (const session of sessions.all()) sum += what(session);
      return sum;
    };
    metrics.sessionMessages.read = () => sumOf(({ kept }) => kept);
    metrics.backlogBytes.read = () => sumOf(({ backlogBytes }) => backlogBytes);
    metrics.subscriptions.read = () => sumOf(({ granted }) => granted.length);
    metrics.keptBytes.read = () => budget.used;
    metrics.connections.read = () => connectionReadings(this.clients().map(wayOf));
    const shared = { config: mqtt, budget, sessions, wills, logger };
    this.#connectGate = new ConnectGate({ ...shared, metrics, authenticator, authorizer, audit });
    this.#subscribeGate = new SubscribeGate(mqtt, sessions, authorizer, presence.isOn);
    this.#publishGate = new PublishGate(authorizer);
    this.#renewalGate = new RenewalGate(authenticator, authorizer, logger);
    this.#review = new AccessReview(sessions, this.#subscribeGate, authorizer, this.#mayGet, logger);
  }

  /** Clients that are connected. */
  get connections(): number {
    return this.#connected;
  }

  /** Clients that are connected. */
  clients(): Connection[] {
    return [...this.deadlines].filter(({ isOpen }) => isOpen);
  }

  open(): void {
    this.sessions.start();
    this.wills.start();
    this.#review.start();
  }

  /** Closes every connection, and tells MQTT 5 clients so. Resolves when all are closed. @param reason code of MQTT 5 */
  async close(reason: number): Promise<void> {
    this.#review.stop();
    this.wills.close();
    const open = [...this.deadlines];
    const closed = open.map(({ stream }) => new Promise((resolve) => stream.once('close', resolve)));
    for (const connection of open) connection.end(reason, SHUTTING_DOWN);
    await Promise.all(closed);
    this.sessions.stop();
    this.deadlines.stop();
  }

  /** Ends a connection whose client goes on at another node. No errors. @param reason code of MQTT 5 */
  sendAway(connection: Connection, reason: number, why: string): void {
    this.wills.forgo(connection);
    connection.end(reason, why);
  }

  /** Serves a new connection of any transport. */
  accept(stream: Duplex, how: Accepted): void {
    serveStream(stream, new Connection(stream, this, how));
  }

  /** Whether policies let a client publish this; its topic is one of a request. */
  mayPublish(request: IncomingRequest): boolean {
    return this.#publishGate.admits(request);
  }

  /** False: the changes of no thing whose name has this hash (name-hash.ts) have subscribers. */
  mayConcern(thingHash: number): boolean {
    return this.#subscribers.mayHave(thingHash);
  }

  /** The subscribers of the changes of a shadow; null: there are none. For every change in the cluster. */
  audienceOf({ thing, name }: ShadowKey): Audience | null {
    return this.#subscribers.audienceOf(thing, name);
  }

  /** Whether this topic has a subscriber. To be called before a message is built. */
  wants(topic: string): boolean {
    return this.#subscribers.has(topic);
  }

  /** Whether sessions keep deltas: not when the current one is sent on resuming instead. */
  get keepsDeltas(): boolean {
    return !this.config.deltaOnSubscribe;
  }

  /** Hands a message to every subscriber of this node at once, in the order of the calls. It waits for no subscriber. */
  send({ tenant, topic, payload, clientId }: Message): void {
    this.#handOut(this.#subscribers.of(topic), new SharedMessage(topic, payload), tenant, null, clientId);
  }

  /** As `send`, a message of a change. */
  tell(audience: Audience, tail: ChangeTail, text: string, { key, position, change }: ShadowRecord): void {
    const subscribers = audience.of(tail);
    if (subscribers === null) return;
    const first = firstOf(subscribers);
    // A filter without a wildcard is the topic: no string is made for it.
    const topic = first.isTopic ? first.filter : `${shadowTopic(key)}/${tail}`;
    const revision = tail === 'update/delta' ? position.revision : null;
    const { trace } = change;
    const message = new SharedMessage(topic, text, trace && encodeUserProperties(userPropertiesOf(trace)));
    this.#handOut(subscribers, message, key.tenant, revision);
  }

  /** @param revision null: it is no delta @param sender for No Local */
  #handOut(
    subscribers: Few<GrantedFilter>,
    message: SharedMessage,
    tenant: string,
    revision: number | null,
    sender?: string,
  ): void {
    const { topic } = message;
    if (subscribers instanceof GrantedFilter) {
      const { session, qos } = subscribers;
      if (session.principal.tenant === tenant && isFor(subscribers, sender) && this.#mayReceive(subscribers, topic))
        this.#handTo(session, qos, message, revision, identifiersOf(subscribers));
      return;
    }
    eachSession(subscribers, sender, (session, qos, identifiers) => {
      if (session.principal.tenant === tenant && this.#mayGet(session, topic))
        this.#handTo(session, qos, message, revision, identifiers);
    });
  }

  /** Policies are asked for each delivery, whatever was subscribed to; where the filter is the topic, once. */
  #mayReceive(granted: GrantedFilter, topic: string): boolean {
    const authorizer = this.#authorizer;
    const { session, receiving } = granted;
    if (!authorizer.isRequired || receiving.allows(authorizer, session.principal)) return true;
    if (!this.#mayGet(session, topic)) return false;
    if (granted.isTopic) receiving.keep(authorizer, session.principal);
    return true;
  }

  readonly #mayGet = ({ principal, id: clientId, address }: Session, topic: string): boolean => {
    const authorizer = this.#authorizer;
    if (!authorizer.isRequired) return true;
    return authorizer.allows(principal, 'iot:Receive', `topic/${topic}`, { clientId, address });
  };

  #handTo(
    session: Session,
    qos: 0 | 1,
    message: SharedMessage,
    revision: number | null,
    identifiers: readonly number[] | null,
  ): void {
    const isKept = qos > 0 && session.expirySeconds > 0 && (revision === null || this.keepsDeltas);
    const { connection } = session;
    if (connection === null) {
      if (isKept) this.sessions.keep(session, message, identifiers);
    } else if (revision === null || isNewest(connection, message.topic, revision))
      connection.send(message, qos, isKept, identifiers);
    else this.metrics.dropped.add(this.metrics.older);
  }

  /** Sends a message to one client alone; it is not kept. */
  sendTo(connection: Connection, { topic, payload }: Message, qos: 0 | 1): void {
    const { session } = connection;
    if (session !== null && this.#mayGet(session, topic))
      connection.send(new SharedMessage(topic, payload), qos, false, null);
  }

  /** Requests reach those who subscribed to the request topics, as on any broker. */
  readonly forward = ({ owner, route, payload }: IncomingRequest): void => {
    const { topic } = route;
    if (!this.wants(topic)) return;
    this.send({ tenant: owner.principal.tenant, topic, payload, clientId: owner.clientId });
  };

  // What connections ask of the door.

  connect(connection: Connection, packet: ConnectPacket): void {
    this.#connectGate.admit(connection, packet, (opened) => {
      if (packet.clientId !== '') this.onConnected(connection);
      this.#greet(connection, opened);
    });
  }

  #greet(connection: Connection, { session, isPresent }: Opened): void {
    this.#connected++;
    if (isPresent) this.#review.resumed(session);
    const dropped = session.takeDropped();
    if (dropped > 0)
      this.logger.warn({ clientId: session.id, reason: 'session-full', dropped }, 'messages of a session dropped');
    const { hasMissed } = session;
    session.hasMissed = false;
    if (session.granted.length === 0) return;
    const filters = session.granted.map(({ filter }) => filter);
    this.onSubscribed(connection, filters, hasMissed);
  }

  published(connection: Connection, request: IncomingRequest): void {
    const { request: asked, topic } = request.route;
    if (asked === null && topic === RENEW_TOPIC) this.#renewalGate.renew(connection, request);
    else this.handle(request);
  }

  subscribe(connection: Connection, { id, subscriptions, subscriptionIdentifier }: SubscribePacket): void {
    const { session } = connection;
    if (session === null) return;
    const granted: string[] = [];
    const reasons: number[] = [];
    for (const each of subscriptions) {
      const reason = this.#subscribeGate.subscribe(connection, session, each, subscriptionIdentifier);
      // One refusal too many has ended the client: what it were granted now, nobody would ever take back.
      if (!connection.isOpen) return;
      if (reason <= REASON.grantedQos1) granted.push(each.filter);
      reasons.push(reason);
    }
    connection.reply(new OtherReply((writer) => writer.suback(id, reasons)));
    if (granted.length > 0) this.onSubscribed(connection, granted, false);
  }

  unsubscribe(connection: Connection, { id, filters }: UnsubscribePacket): void {
    const { session } = connection;
    if (session === null) return;
    const reasons = filters.map((filter) =>
      this.sessions.unsubscribe(session, filter) ? REASON.success : REASON.noSubscriptionExisted,
    );
    connection.reply(new OtherReply((writer) => writer.unsuback(id, reasons)));
    this.onUnsubscribed(connection, filters);
  }

  heldChanged(connection: Connection, bytes: number): void {
    this.budget.add(bytes - connection.heldBytes);
    const isMore = bytes > connection.heldBytes;
    connection.heldBytes = bytes;
    if (!isMore || this.sessions.makeRoom()) return;
    // Whoever began the largest packets has them given up; others may go on with theirs.
    for (const each of this.deadlines) {
      if (each.heldBytes >= LARGE_PACKET_BYTES) each.end(REASON.quotaExceeded, 'too many incomplete packets');
      if (!this.budget.isExceeded) return;
    }
  }

  left(connection: Connection, reason: number | null): void {
    if (connection.session === null) return;
    this.#connected--;
    this.metrics.disconnects.add(this.metrics.leftBy[leavingOf(reason)]);
    this.onLeft(connection, reason);
  }
}

/** No older delta follows a newer one. */
function isNewest({ deltaRevisions }: Connection, topic: string, revision: number): boolean {
  const sent = deltaRevisions?.get(topic);
  if (sent === undefined) return true;
  if (revision <= sent) return false;
  deltaRevisions?.set(topic, revision);
  return true;
}
