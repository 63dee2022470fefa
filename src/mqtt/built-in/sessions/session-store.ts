import { Readable } from 'node:stream';
import type { Clock } from '../../../resilience/clock.js';
import type { MqttConfig } from '../../../config/config.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { AedesClient, OutgoingPacket, StoredSubscription } from '../aedes/aedes-parts.js';
import { Session } from './session.js';
import { TopicTree } from '../subscriptions/topic-tree.js';

type ClientId = Pick<AedesClient, 'id'>;

/** Bytes of all messages that sessions keep, whatever their number. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;
/** How often expired sessions are looked for, in milliseconds. */
const SWEEP_MS = 10_000;

/**
 * The persistent sessions of this node, in memory and bounded: the aedes-persistence contract, without retained
 * messages and QoS 2, which do not exist here. A session that is gone costs nothing but a backlog: the device resumes
 * with `get`, or with the current delta.
 */
export class SessionStore {
  readonly #sessions = new Map<string, Session>();
  /** Sessions without a connection, the longest gone first. */
  readonly #offline = new Map<string, Session>();
  readonly #byFilter = new TopicTree<Session>();
  #sweep: NodeJS.Timeout | null = null;
  #bytes = 0;

  constructor(
    private readonly config: Pick<MqttConfig, 'maxSessions' | 'maxSessionMessages' | 'sessionSeconds'>,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly isGranted: (subscription: StoredSubscription) => boolean = () => true,
    /** Bytes of all messages that sessions keep; with more, the sessions that are away longest end. */
    private readonly maxBytes = MAX_KEPT_BYTES,
  ) {}

  get size(): number {
    return this.#sessions.size;
  }

  /** Bytes of the messages that sessions keep. */
  get bytes(): number {
    return this.#bytes;
  }

  session(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** Whether a session wants messages of this topic kept. */
  has(topic: string): boolean {
    return !this.#byFilter.isEmpty && this.#byFilter.has(topic);
  }

  /** Keeps a message for every session that is subscribed to it with QoS 1. */
  keep(packet: OutgoingPacket): void {
    if (this.#byFilter.isEmpty) return;
    const shared = { packet, holders: 0 };
    this.#byFilter.some(packet.topic, (session) => {
      if (this.#isFor(session, packet)) {
        session.keep(shared);
        this.#makeRoom(session);
      }
      return false;
    });
  }

  /** The feed had a hole: connected clients get the present state now, sessions without a connection when they resume. */
  missed(): void {
    for (const session of this.#sessions.values()) session.hasMissed ||= session.client?.connected !== true;
  }

  /** The connection of a session begins. */
  online(client: AedesClient): Session | undefined {
    const session = this.#sessions.get(client.id);
    if (session) session.client = client;
    this.#offline.delete(client.id);
    return session;
  }

  offline(client: AedesClient): void {
    const session = this.#sessions.get(client.id);
    if (!session || session.client !== client) return;
    session.client = null;
    session.offlineSince = this.clock.monotonic();
    this.#offline.set(session.id, session);
  }

  /** Ends the sessions that were without a connection for `sessionSeconds`. */
  expire(): void {
    const latest = this.clock.monotonic() - this.config.sessionSeconds * 1000;
    for (const session of this.#offline.values()) {
      if (session.offlineSince > latest) return;
      this.#end(session, 'expired');
    }
  }

  // The contract. aedes asks for a `setup` that is an async function.
  async setup(): Promise<void> {
    this.#sweep = setInterval(() => this.expire(), SWEEP_MS).unref();
  }

  async destroy(): Promise<void> {
    if (this.#sweep) clearInterval(this.#sweep);
    this.#sessions.clear();
    this.#offline.clear();
  }

  /** aedes passes every filter of the SUBSCRIBE, refused ones included, once for each that was granted. */
  async addSubscriptions(client: ClientId, subscriptions: readonly StoredSubscription[]): Promise<void> {
    const allowed = subscriptions.filter((subscription) => this.isGranted(subscription));
    if (allowed.length === 0) return;
    const session = this.#sessions.get(client.id) ?? this.#begin(client);
    for (const subscription of session ? allowed : []) this.#addOne(session as Session, subscription);
  }

  async removeSubscriptions(client: ClientId, filters: readonly string[]): Promise<void> {
    const session = this.#sessions.get(client.id);
    for (const filter of session ? filters : []) {
      if (session?.subscriptions.delete(filter)) this.#byFilter.remove(filter, session);
    }
  }

  async subscriptionsByClient(client: ClientId): Promise<StoredSubscription[]> {
    return [...(this.#sessions.get(client.id)?.subscriptions.values() ?? [])];
  }

  async cleanSubscriptions(client: ClientId): Promise<void> {
    const session = this.#sessions.get(client.id);
    if (session) this.#end(session, 'ended by its client');
  }

  async outgoingUpdate(client: ClientId, packet: OutgoingPacket): Promise<void> {
    if (packet.messageId !== undefined) this.#sessions.get(client.id)?.sent(packet.brokerCounter, packet.messageId);
  }

  async outgoingClearMessageId(client: ClientId, packet: { messageId?: number }): Promise<OutgoingPacket | undefined> {
    return packet.messageId === undefined ? undefined : this.#sessions.get(client.id)?.acknowledge(packet.messageId);
  }

  /** A PUBREL of a QoS 2 publish that was never taken here: "not found", and aedes answers PUBCOMP (MQTT-4.3.3). */
  async incomingGetPacket(): Promise<never> {
    throw new Error('there is no QoS 2');
  }

  /** Backlogs are sent by session-replay.ts, in step with the socket. */
  outgoingStream(): Readable {
    return Readable.from([]);
  }

  createRetainedStreamCombi(): Readable {
    return Readable.from([]);
  }

  // A will lives with its connection.
  async putWill(): Promise<void> {}
  async delWill(): Promise<void> {}
  streamWill(): Readable {
    return Readable.from([]);
  }

  #isFor(session: Session, packet: OutgoingPacket): boolean {
    // A visit continues over sessions that it has ended itself to make room.
    if (this.#sessions.get(session.id) !== session) return false;
    // Where a filter without wildcard asks for QoS 0, aedes sends with QoS 0 whatever other filters ask for, and no PUBACK
    // would ever take the message out of the session.
    if (session.subscriptions.get(packet.topic)?.qos === 0) return false;
    return packet.clientId !== session.id || !session.hasNoLocal;
  }

  /** The next CONNACK tells a client that its session has ended; it says nothing of dropped messages. */
  #makeRoom(receiver: Session): void {
    while (this.#bytes > this.maxBytes) {
      const [oldest] = this.#offline.values();
      if (oldest) this.#end(oldest, 'too many bytes');
      else if (!receiver.dropOldest()) return;
    }
  }

  #begin(client: ClientId): Session | null {
    if (this.#sessions.size >= this.config.maxSessions || this.config.sessionSeconds === 0) {
      const [oldest] = this.#offline.values();
      if (!oldest || this.config.sessionSeconds === 0) {
        this.logger.warn({ clientId: client.id, reason: 'too-many-sessions' }, 'session is not kept');
        return null;
      }
      this.#end(oldest, 'too many sessions');
    }
    const session = new Session(client.id, this.config.maxSessionMessages, (bytes) => (this.#bytes += bytes));
    this.#sessions.set(client.id, session);
    if ('conn' in client) session.client = client as AedesClient;
    return session;
  }

  #addOne(session: Session, subscription: StoredSubscription): void {
    const { topic, qos } = subscription;
    const before = session.subscriptions.get(topic);
    if (before !== undefined && before.qos > 0) this.#byFilter.remove(topic, session);
    session.subscriptions.set(topic, { ...subscription });
    if (qos > 0) this.#byFilter.add(topic, session);
  }

  #end(session: Session, reason: string): void {
    for (const { topic, qos } of session.subscriptions.values()) {
      if (qos > 0) this.#byFilter.remove(topic, session);
    }
    this.#sessions.delete(session.id);
    this.#offline.delete(session.id);
    const { id: clientId, waiting } = session;
    session.clear();
    this.logger.info({ clientId, reason, waiting, dropped: session.takeDropped() }, 'session ended');
  }
}
