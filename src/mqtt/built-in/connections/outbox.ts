import type { Duplex } from 'node:stream';
import type { ProtocolLevel } from '../packets/packet.js';
import type { PacketWriter } from '../packets/packet-writer.js';
import type { Session } from '../sessions/session.js';
import { Chain } from './chain.js';
import type { Door } from './door.js';
import type { Reply } from './reply.js';

/** Bytes given to the socket at once, about: what it does not take waits as messages that all subscribers share. */
const PIECE_BYTES = 64 * 1024;
/**
 * Messages of QoS 1 without their PUBACK, whatever the client's Receive Maximum allows: each takes memory that nothing
 * else bounds, and every PUBACK is looked for among them.
 */
export const MAX_UNACKNOWLEDGED = 1_000;
/** A subscriber that takes something may have so many times `maxBacklogBytes` waiting. */
const MAX_BEHIND = 4;

/** The way of replies and messages into the stream of one client: in step with what the client takes. */
export class Outbox {
  level: ProtocolLevel = 4;
  session: Session | null = null;
  /** Bytes; what the client accepts. */
  maxPacketBytes = Infinity;
  /** Messages of QoS 1 that the client takes without an acknowledgement. */
  receiveMaximum = MAX_UNACKNOWLEDGED;
  /** When the stream stopped taking bytes, in milliseconds of the deadlines' clock; -1: it takes them. */
  blockedSince = -1;
  #replies: Chain<Reply> | null = null;
  /** The flush before which the client last took something, or nothing waited for it. */
  #progress = 0;
  /** Bytes that the last flush left waiting. */
  #left = 0;

  constructor(
    private readonly stream: Duplex,
    private readonly door: Door,
  ) {}

  /** The stream takes nothing at the moment. */
  get isBlocked(): boolean {
    return this.stream.writableNeedDrain && this.stream.writableLength > 0;
  }

  /** Bytes that wait for the client. */
  get waitingBytes(): number {
    return (this.session?.backlogBytes ?? 0) + this.stream.writableLength;
  }

  /** Whether more waits for the client than may. One turn may bring more: only who has taken nothing since is too slow. */
  get isTooSlow(): boolean {
    const { maxBacklogBytes } = this.door.config;
    const { round } = this.door.flusher;
    const waiting = this.waitingBytes;
    if (waiting === 0) this.#progress = round;
    if (waiting <= maxBacklogBytes) return false;
    return round - this.#progress > 1 || this.#left > maxBacklogBytes * MAX_BEHIND;
  }

  reply(reply: Reply): void {
    (this.#replies ??= new Chain()).push(reply);
  }

  /** The client has taken something. */
  progress(): void {
    this.#progress = this.door.flusher.round;
  }

  drained(): void {
    this.progress();
    this.blockedSince = -1;
  }

  /** Writes what waits, as far as the stream takes it. */
  flush(): void {
    for (let more = true; more && !this.isBlocked;) more = this.#writePiece();
    this.#left = this.waitingBytes;
    if (this.isBlocked && this.blockedSince < 0) this.blockedSince = this.door.deadlines.now;
  }

  /** Writes the last packet, if there is one, and ends the stream from this side. */
  end(write: (writer: PacketWriter) => void): void {
    const { writer } = this.door;
    this.#replies = null;
    writer.begin(this.level, this.maxPacketBytes);
    write(writer);
    if (writer.length > 0) this.stream.end(writer.bytes());
    else this.stream.end();
    writer.end(this.stream.writableLength === 0);
  }

  /** @returns whether there is more to write, if the stream has taken this */
  #writePiece(): boolean {
    const { writer } = this.door;
    writer.begin(this.level, this.maxPacketBytes);
    const first = this.#replies?.shift();
    if (first) this.#writeReplies(writer, first);
    const more = this.#writeMessages(writer);
    if (writer.length > 0) {
      this.door.metrics.sentBytes.add(0, writer.length);
      this.stream.write(writer.bytes());
      if (!this.isBlocked) this.progress();
    }
    writer.end(this.stream.writableLength === 0);
    return more;
  }

  #writeReplies(writer: PacketWriter, first: Reply): void {
    const { metrics, clock } = this.door;
    const now = clock.monotonic();
    for (let reply: Reply | null | undefined = first; reply; reply = this.#replies?.shift()) {
      reply.write(writer);
      if (reply.since === 0) continue;
      metrics.pubacks.observe(0, now - reply.since);
      if (reply.traceId !== null) metrics.pubacks.remember(0, now - reply.since, reply.traceId, clock.now());
    }
  }

  #writeMessages(writer: PacketWriter): boolean {
    const { session } = this;
    const { metrics } = this.door;
    for (let first = session?.first; session && first; first = session.first) {
      if (writer.length >= PIECE_BYTES) return true;
      const { message, qos } = first;
      const isAgain = first.id > 0;
      if (qos > 0) {
        // The next PUBACK makes it go on.
        if (session.inFlight >= this.receiveMaximum) return false;
        if (!isAgain && (first.id = session.nextId()) === 0) return false;
      }
      if (message && writer.publish(message, qos, first.id, isAgain, first.subscriptionIds)) {
        metrics.delivered.add(metrics.deliveredWith[qos]);
        session.sent();
      } else {
        if (message) metrics.dropped.add(metrics.tooLarge);
        session.skip();
      }
    }
    return false;
  }
}
