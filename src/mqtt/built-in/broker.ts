import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { Aedes, type Client } from 'aedes';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import { CONFIG, type Config } from '../../config/config.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import type { AedesClient, OutgoingPacket } from './aedes/aedes-parts.js';
import { authenticate } from './gates/authenticate.js';
import { attachConnection, connectionOf } from './connection.js';
import { ForwardGate } from './gates/forward-gate.js';
import { CorkedWrites } from './aedes/corked-writes.js';
import { letPeerClose } from './aedes/graceful-end.js';
import { PublishGate, type IncomingRequest } from './gates/publish-gate.js';
import { replaySession } from './sessions/session-replay.js';
import { SessionStore } from './sessions/session-store.js';
import { SubscribeGate } from './gates/subscribe-gate.js';
import { Subscribers } from './subscriptions/subscribers.js';

/** A CONNECT must be there in this time, in milliseconds: half-open sockets go. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Packets that a client may send between its CONNECT and the CONNACK. */
const EARLY_PACKETS = 1000;

export interface Message {
  readonly tenant: string;
  readonly topic: string;
  readonly payload: Buffer;
  /** Set for a delta. */
  readonly revision?: number;
  readonly clientId?: string;
}

/** aedes, without its own idea of publishing: messages leave through `MqttBroker.send` alone. */
class ShadowAedes extends Aedes {
  // Clients called `__proto__` or `constructor` are just clients.
  clients = Object.create(null) as Record<string, AedesClient>;
  declare _takingOver: Set<string>;

  /**
   * A client that connects again takes over (MQTT-3.1.4-2). aedes first waits until the old connection has taken its
   * DISCONNECT. A peer that does not read would delay the new connection until the old one times out.
   */
  registerClient(client: AedesClient): void {
    const before = this.clients[client.id];
    if (before?.conn.writableNeedDrain) {
      this._takingOver.add(client.id);
      before.close();
    }
    (Aedes.prototype as unknown as ShadowAedes).registerClient.call(this, client);
  }

  /** What aedes would forward here, or tell on $SYS topics, goes nowhere; requests are forwarded by the gate. */
  override publish(_packet: unknown, second?: unknown, third?: unknown): void {
    const done = typeof second === 'function' ? second : third;
    if (typeof done === 'function') (done as () => void)();
  }
}

/**
 * aedes handles a packet inside the parser's call, which comes from an event of the socket. An error thrown
 * there would end the process; caught here, it ends the connection of the packet's sender alone.
 */
function containErrors(client: AedesClient): void {
  const parser = client._parser;
  const parse = parser.parse.bind(parser);
  parser.parse = (bytes) => {
    try {
      return parse(bytes);
    } catch (error) {
      client.emit('error', error);
      return 0;
    }
  };
}

/** The built-in broker: connections, sessions, subscriptions, and the delivery of messages. */
@Injectable()
export class MqttBroker {
  readonly index = new Subscribers();
  readonly sessions: SessionStore;
  readonly publishGate: PublishGate;
  /** A client has subscribed, or resumed a session with subscriptions; `hasMissed`: changes in between are no longer available. */
  onSubscribed: (client: AedesClient, filters: readonly string[], hasMissed: boolean) => void = () => {};
  onUnsubscribed: (client: AedesClient, filters: readonly string[]) => void = () => {};
  readonly #forward: ForwardGate;
  readonly #subscribe: SubscribeGate;
  readonly #aedes: ShadowAedes;
  readonly #writes = new CorkedWrites();
  #counter = 0;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CLOCK) clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    const { mqtt, nodeId } = config;
    this.publishGate = new PublishGate((incoming) => this.#forwardRequest(incoming), logger);
    this.#forward = new ForwardGate(mqtt.maxBacklogBytes, logger);
    this.#subscribe = new SubscribeGate(logger);
    this.sessions = new SessionStore(mqtt, clock, logger, this.#subscribe.isGranted);
    this.#aedes = new ShadowAedes({
      id: nodeId,
      mq: this.index,
      persistence: this.sessions,
      connectTimeout: CONNECT_TIMEOUT_MS,
      drainTimeout: mqtt.drainTimeoutMs,
      queueLimit: EARLY_PACKETS,
      maximumPacketSize: mqtt.maxPacketBytes,
      // 0 would mean no limit; without sessions nothing is kept whatever the interval.
      sessionExpiryIntervalLimit: Math.max(1, mqtt.sessionSeconds),
      pendingSessionsLimit: Math.max(1, mqtt.maxSessions),
      authenticate,
      authorizePublish: this.publishGate.decide,
      authorizeSubscribe: this.#subscribe.decide,
      authorizeForward: this.#forward.decide,
    });
    this.#watch();
  }

  get connections(): number {
    return Object.keys(this.#aedes.clients).length;
  }

  /** Clients that are connected. */
  clients(): AedesClient[] {
    return Object.values(this.#aedes.clients);
  }

  open(): Promise<void> {
    return this.#aedes.listen();
  }

  /** Tells MQTT 5 clients that the node shuts down (0x8B) and closes every connection. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#aedes.close(() => void this.sessions.destroy().then(resolve)));
  }

  /** Serves a new connection of any transport. @param how `isRefused`: its CONNACK says that there are too many */
  accept(stream: Duplex, { request, isRefused }: { request?: IncomingMessage | undefined; isRefused: boolean }): void {
    this.#writes.adopt(stream);
    const client = this.#aedes.handle(stream, request) as AedesClient;
    const connection = attachConnection(client);
    connection.isRefused = isRefused;
    this.#subscribe.watch(client);
    containErrors(client);
    letPeerClose(stream, client);
    // aedes reads when it has worked off what it read before. While the requests are many, there is nothing for it to
    // read; each request that ends makes it ask again.
    const read = stream.read.bind(stream);
    stream.read = (size?: number) => (size !== 0 && connection.requests.isFull ? null : (read(size) as unknown));
  }

  /** Whether this topic has a subscriber or a session that keeps it. To be called before a message is built. */
  wants(topic: string, kept = true): boolean {
    return this.index.has(topic) || (kept && this.sessions.has(topic));
  }

  /** Whether sessions keep deltas: not when the current one is sent on resuming instead. */
  get keepsDeltas(): boolean {
    return !this.config.mqtt.deltaOnSubscribe;
  }

  /** Hands a message to every subscriber of this node at once, in the order of the calls. It waits for no subscriber. */
  send(message: Message): void {
    const { tenant, revision = null } = message;
    const kept = revision === null || this.keepsDeltas;
    const packet = this.#packet(message, this.#aedes.id);
    if (kept) this.sessions.keep(packet);
    this.#forward.current = { tenant, revision, kept };
    try {
      this.index.emit(packet);
    } finally {
      this.#forward.current = null;
    }
  }

  /** Sends a message to one client alone; it is not kept. */
  sendTo(client: AedesClient, message: Message, qos: 0 | 1): void {
    const packet = this.#packet(message, null);
    if (qos === 0) client.deliver0(packet, () => {});
    else client.deliverQoS(packet, () => {});
  }

  #packet({ topic, payload, clientId }: Message, brokerId: string | null): OutgoingPacket {
    const brokerCounter = ++this.#counter;
    const from = clientId === undefined ? {} : { clientId };
    return { cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false, brokerId, brokerCounter, ...from };
  }

  /** Requests reach those who subscribed to the request topics, as on any broker. */
  #forwardRequest({ client, topic, payload }: IncomingRequest): void {
    if (!this.wants(topic)) return;
    this.send({ tenant: connectionOf(client).principal.tenant, topic, payload, clientId: client.id });
  }

  #watch(): void {
    const { logger } = this;
    this.#aedes.on('clientReady', (client) => this.#ready(client as AedesClient));
    this.#aedes.on('clientDisconnect', (client) => {
      this.sessions.offline(client as AedesClient);
      logger.debug({ clientId: client.id }, 'client disconnected');
    });
    this.#aedes.on('subscribe', (granted, client) => {
      const filters = granted.filter(({ qos }) => qos < 0x80).map(({ topic }) => topic);
      if (filters.length > 0) this.onSubscribed(client as AedesClient, filters, false);
    });
    this.#aedes.on('unsubscribe', (filters, client) => this.onUnsubscribed(client as AedesClient, filters));
    const failed = (client: Client, error: Error): void =>
      logger.debug({ clientId: client.id, reason: error.message }, 'connection ended');
    this.#aedes.on('clientError', failed);
    this.#aedes.on('connectionError', failed);
    // EventEmitter throws an `error` that nobody listens to; the types of aedes leave the event out.
    (this.#aedes as EventEmitter).on('error', (error: Error) => logger.error({ err: error }, 'the broker failed'));
  }

  #ready(client: AedesClient): void {
    this.logger.debug({ clientId: client.id, version: client.version }, 'client connected');
    const session = this.sessions.online(client);
    if (session) replaySession(client, session, this.logger);
    const hasMissed = session?.hasMissed ?? false;
    if (session) session.hasMissed = false;
    const filters = Object.keys(client.subscriptions);
    if (filters.length > 0) this.onSubscribed(client, filters, hasMissed);
  }
}
