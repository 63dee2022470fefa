import type { Duplex } from 'node:stream';
import { ANONYMOUS, type Principal } from '../../../access/principal.js';
import { MAX_IN_FLIGHT, type Acknowledgement } from '../../request-queue.js';
import type {
  ConnectPacket,
  DisconnectPacket,
  PacketHandler,
  PublishPacket,
  SubscribePacket,
  UnsubscribePacket,
} from '../packets/packet.js';
import { ownBytes } from '../packets/own-bytes.js';
import { PacketReader } from '../packets/packet-reader.js';
import { ProtocolError } from '../packets/protocol-error.js';
import { REASON } from '../packets/reason-codes.js';
import { Outgoing, type SharedMessage } from '../sessions/message.js';
import type { Session } from '../sessions/session.js';
import type { Will } from '../sessions/will.js';
import type { Accepted } from './accepted.js';
import { acknowledgeSettled } from './acknowledge.js';
import { addressOf } from '../gates/credentials.js';
import { Chain } from './chain.js';
import type { DeltaRevisions } from './delta-revisions.js';
import type { Door } from './door.js';
import { endByError } from './end-by-error.js';
import { farewell } from './farewell.js';
import { IncomingRequest, Route, type RequestOwner } from './incoming-request.js';
import { CLOSE_MS, CONNECT_COST, CONNECT_TIMEOUT_MS, MAX_DISCARDED, PACKET_TIMEOUT_MS } from './limits.js';
import { obeyDisconnect } from './obey-disconnect.js';
import { Outbox } from './outbox.js';
import { Refusals } from './refusals.js';
import { pong, unknownPubrec, unknownPubrel, type Reply } from './reply.js';

/** `opening` until its CONNECT was accepted; `ending` when it only waits for its peer to close. */
type Phase = 'opening' | 'open' | 'ending' | 'closed';

/** One connection of one client: reads packets in place, and is written to once per turn. */
export class Connection implements PacketHandler, RequestOwner {
  slot = 0; // Its place among all connections.
  /** The turn of the loop in which it was read last, and the packets that were handled in it. */
  turn = -1;
  packets = 0;
  clientId = '';
  principal: Principal = ANONYMOUS;
  session: Session | null = null;
  will: Will | null = null;
  keepAliveMs = 0; // 0: none.
  /** The Session Expiry Interval of its CONNECT was 0, so DISCONNECT must not set another (MQTT-3.14.2-2). */
  isTransient = true;
  heldBytes = 0; // Of an incomplete packet; the budget counts them.
  /** Of the current deltas that it was sent; null: of none. */
  deltaRevisions: DeltaRevisions | null = null;
  /** Milliseconds of the deadlines' clock: its begin, the last bytes, or its end, according to the phase. */
  since: number;
  #phase: Phase = 'opening';
  #route: Route | null = null;
  /** In the order of arrival, in which they are acknowledged (MQTT-4.6.0-2). */
  #requests: Chain<IncomingRequest> | null = null;
  #refusals: Refusals | null = null;
  #isDirty = false;
  #isPaused = false;
  #waitsForTurn = false;
  #discarded = 0;
  #hasLeft = false;
  readonly outbox: Outbox;
  readonly #reader: PacketReader;
  #isHeld = false;

  constructor(
    readonly stream: Duplex,
    private readonly door: Door,
    readonly how: Accepted,
  ) {
    this.#reader = new PacketReader(this, door.readerOptions);
    this.outbox = new Outbox(stream, door);
    this.since = door.deadlines.now;
    door.deadlines.add(this);
  }

  /** The client is connected: its CONNECT was accepted, and nobody has ended it. */
  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** Its CONNECT was not answered yet. */
  get isOpening(): boolean {
    return this.#phase === 'opening';
  }

  /** All that it has asked is answered. */
  get isIdle(): boolean {
    return this.#requests === null || this.#requests.size === 0;
  }

  /** IP address of the client. */
  get address(): string {
    return addressOf(this.how.socket ?? this.stream);
  }

  /** Reads nothing while its principal is being looked for. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (isHeld) this.#pause();
    else this.#resume();
  }

  /** @param length bytes of `chunk`, which may change after this */
  read(chunk: Buffer, length: number): void {
    if (this.#phase === 'ending' && (this.#discarded += length) > MAX_DISCARDED) this.stream.destroy();
    if (this.#phase === 'ending' || this.#phase === 'closed') return;
    this.door.metrics.receivedBytes.add(0, length);
    // Thousands that come back at once are let in over several turns; who is in already has its packet handled.
    if (this.#phase === 'opening' && this.door.turns.isUsedUp) this.#waitForTurn();
    try {
      this.#reader.read(chunk, length);
    } catch (error) {
      return this.fail(error);
    }
    // No time more for a CONNECT that comes byte by byte.
    if (this.#phase === 'open') this.since = this.door.deadlines.now;
    this.#countHeld();
  }

  /** @param bytes that its WebSocket keeps of a message that is not complete */
  holdsFrame(bytes: number): void {
    this.#reader.keptBefore(bytes);
    this.#countHeld();
  }

  /** Its next turn has come. */
  readOn(): void {
    this.#waitsForTurn = false;
    this.#resume();
  }

  drained(): void {
    this.outbox.drained();
    this.flush();
    this.#resume();
  }

  closed(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.door.deadlines.remove(this);
    this.#leave('closed by its peer', null);
  }

  /** The stream is broken; its end follows. */
  broken(error: Error): void {
    this.door.logger.debug({ clientId: this.clientId, reason: error.message }, 'connection failed');
  }

  connect(packet: ConnectPacket): void {
    this.#spend(CONNECT_COST);
    this.door.connect(this, packet);
  }

  publish(packet: PublishPacket): void {
    this.#spend(packet.payload.length);
    const { topic, payload, id, qos, properties } = packet;
    if (qos === 2) {
      this.refused('publish', topic, 'qos-2');
      return this.end(REASON.qosNotSupported, 'QoS 2 is not supported');
    }
    const route = this.#route?.topic === topic ? this.#route : new Route(topic, this.principal.tenant);
    this.#route = route.request && route; // Any other topic may be 64 KiB long.
    const isForwarded = this.door.wants(topic);
    const request = new IncomingRequest(this, route, isForwarded ? ownBytes(payload) : payload, qos, id, isForwarded);
    if (properties !== null) request.carries(properties);
    (this.#requests ??= new Chain()).push(request);
    if (this.#requests.size >= MAX_IN_FLIGHT) this.#pause();
    this.door.published(this, request);
    request.handled();
  }

  puback(id: number): void {
    const { session } = this;
    this.#spend(0);
    if (!session?.acknowledge(id)) return;
    this.outbox.progress();
    if (session.first !== null) this.flushSoon();
  }

  /** There is no QoS 2 here, so no such packet belongs to anything. */
  pubrec(id: number): void {
    this.#spend(0);
    this.reply(unknownPubrec(id));
  }

  pubrel(id: number): void {
    this.#spend(0);
    this.reply(unknownPubrel(id));
  }

  pubcomp(): void {
    this.#spend(0);
  }

  subscribe(packet: SubscribePacket): void {
    this.#spend(packet.subscriptions.length << 10);
    this.door.subscribe(this, packet);
  }

  unsubscribe(packet: UnsubscribePacket): void {
    this.#spend(packet.filters.length << 10);
    this.door.unsubscribe(this, packet);
  }

  pingreq(): void {
    this.#spend(0);
    this.reply(pong());
  }

  disconnect(packet: DisconnectPacket): void {
    obeyDisconnect(this, this.door, packet);
    this.#close(null, 'ended by its client');
  }

  /** No exchange was begun in CONNECT, so there is none to go on with (MQTT-4.12.0-6). */
  auth(): void {
    throw new ProtocolError(REASON.protocolError, 'AUTH without an authentication method');
  }

  /** The CONNECT was accepted. @param connack its first packet */
  accepted(session: Session, connack: Reply): void {
    this.session = session;
    this.outbox.session = session;
    this.#phase = 'open';
    this.reply(connack);
  }

  reply(reply: Reply): void {
    this.outbox.reply(reply);
    this.flushSoon();
  }

  /** Sends a message, or cuts the client off. @param kept the session keeps it until it is acknowledged */
  send(message: SharedMessage, qos: 0 | 1, kept: boolean, subscriptionIds: readonly number[] | null): void {
    const { session } = this;
    if (session === null || !this.isOpen) return;
    if (this.outbox.isTooSlow) return this.#cutOff();
    if (kept) this.door.sessions.keep(session, message, subscriptionIds);
    else session.queue(new Outgoing(message, qos, subscriptionIds));
    this.flushSoon();
  }

  /** Writes what waits within two turns of the loop. */
  flushSoon(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.door.flusher.add(this);
  }

  settled(_request: IncomingRequest, _how: Acknowledgement): void {
    if (this.#requests !== null) acknowledgeSettled(this, this.door, this.#requests);
    if (this.#isPaused) this.#resume();
  }

  /** Counts a refusal, and ends a client that has too many. @param code of it, or a name of the reason */
  refused(action: 'publish' | 'subscribe', target: string, reason: string, code = reason): void {
    this.#refusals ??= new Refusals(this, this.door);
    if (this.#refusals.add({ action, target, reason, code }))
      this.end(REASON.messageRateTooHigh, 'too many refused packets');
  }

  /** Ends the connection: MQTT 5 clients are told the reason, and a CONNECT gets its CONNACK. */
  end(reason: number, why: string): void {
    this.#close(reason, why);
  }

  /** An error ends the connection that it comes from. */
  fail(error: unknown): void {
    endByError(this, this.door.logger, error);
  }

  /** Writes what waits, as far as the socket takes it. */
  flush(): void {
    this.#isDirty = false;
    if (this.#phase !== 'open') return;
    try {
      this.outbox.flush();
    } catch (error) {
      return this.fail(error);
    }
    if (this.outbox.isBlocked) this.#pause(); // Who takes no answers is asked no more questions.
  }

  checkDeadlines(): void {
    const { now } = this.door.deadlines;
    const waited = now - this.since;
    if (this.#phase === 'opening') {
      if (waited > CONNECT_TIMEOUT_MS) this.end(REASON.unspecified, 'no CONNECT');
    } else if (this.#phase === 'ending') {
      if (waited > CLOSE_MS) this.stream.destroy();
    } else this.#checkOpen(now, waited);
  }

  #checkOpen(now: number, silent: number): void {
    this.#refusals?.forgive();
    const { blockedSince } = this.outbox;
    if (blockedSince >= 0 && now - blockedSince > this.door.config.drainTimeoutMs) return this.#cutOff();
    if (this.#isPaused) return;
    const { incompleteSince } = this.#reader;
    if (incompleteSince !== null && now - incompleteSince > PACKET_TIMEOUT_MS)
      return this.end(REASON.unspecified, 'an incomplete packet');
    if (this.keepAliveMs > 0 && silent > this.keepAliveMs * 1.5)
      this.end(REASON.keepAliveTimeout, 'keep-alive timeout');
  }

  /** Counts a packet against the turn of the loop. */
  #spend(bytes: number): void {
    if (!this.door.turns.mayGoOn(this, bytes)) this.#waitForTurn();
  }

  #waitForTurn(): void {
    if (this.#waitsForTurn) return;
    this.#waitsForTurn = true;
    this.#pause();
    this.door.turns.wait(this);
  }

  #pause(): void {
    this.#isPaused = true;
    this.#reader.pause();
    this.stream.pause();
  }

  #resume(): void {
    const mayRead =
      !this.#isHeld && !this.#waitsForTurn && !this.outbox.isBlocked && (this.#requests?.size ?? 0) < MAX_IN_FLIGHT;
    if (!this.#isPaused || !mayRead || (this.#phase !== 'open' && this.#phase !== 'opening')) return;
    this.#isPaused = false;
    this.since = this.door.deadlines.now;
    try {
      this.#reader.resume();
    } catch (error) {
      return this.fail(error);
    }
    this.#countHeld();
    if (!this.#isPaused) this.stream.resume();
  }

  #countHeld(): void {
    const held = this.#phase === 'open' || this.#phase === 'opening' ? this.#reader.heldBytes : 0;
    if (held !== this.heldBytes) this.door.heldChanged(this, held);
  }

  #cutOff(): void {
    const { clientId, outbox } = this;
    this.door.logger.warn({ clientId, reason: 'too-slow', waiting: outbox.waitingBytes }, 'subscriber cut off');
    this.end(REASON.quotaExceeded, 'too slow');
  }

  /** @param reason null: the client has ended it, and hears nothing more */
  #close(reason: number | null, why: string): void {
    if (this.#phase === 'ending' || this.#phase === 'closed') return;
    const wasOpen = this.#phase === 'open';
    this.#phase = 'ending';
    this.outbox.level = this.#reader.level || 4;
    this.#reader.close();
    // The session may have another connection by now, which is to get what waits.
    if (this.session?.connection !== this) this.outbox.session = null;
    if (wasOpen) this.outbox.flush();
    this.#leave(why, reason ?? REASON.success);
    this.since = this.door.deadlines.now;
    // On a full socket a last packet would wait for a peer that does not read.
    if (this.outbox.isBlocked) return void this.stream.destroy();
    const cameConnect = this.#reader.level !== 0 || reason === REASON.unsupportedProtocolVersion;
    this.outbox.end(farewell(wasOpen || cameConnect ? reason : null, wasOpen, this.door.config));
    // The peer closes (MQTT-3.14.4-1): cutting it at once would answer what it still sends, such as the last record of TLS,
    // with a reset, which SDKs report as an error, and which takes away what it has not read yet.
    this.stream.resume();
  }

  /** Gives back what the connection had, once. */
  #leave(why: string, reason: number | null): void {
    const { session, will, door } = this;
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#refusals?.logCounts();
    this.deltaRevisions?.clear();
    if (this.heldBytes > 0) door.heldChanged(this, 0);
    if (session !== null && session.connection === this) door.sessions.left(session);
    if (session !== null && will !== null) door.wills.left(session, will);
    this.will = null;
    door.left(this, reason);
    door.logger.debug({ clientId: this.clientId, reason: why }, 'client disconnected');
  }
}
