import type { ConnackProperties, ProtocolLevel, SentDisconnectProperties } from './packet.js';
import { TYPE } from './packet-types.js';
import { encodeProperties, variableLength } from './properties-writer.js';
import { connackReturnCode, REASON, SUBACK_FAILURE } from './reason-codes.js';
import { ScratchBuffer } from './scratch-buffer.js';

const NO_PROPERTIES = Buffer.from([0]);
const EMPTY = Buffer.alloc(0);
const NO_IDS: readonly number[] = [];
const SUBSCRIPTION_IDENTIFIER = 0x0b;
/** PUBREL has flags (MQTT-3.6.1-1). */
const PUBREL = (TYPE.pubrel << 4) | 2;

/** What a PUBLISH says, apart from how it is sent. */
export interface WrittenMessage {
  readonly topic: string;
  readonly payload: string | Buffer;
  /** Encoded, for MQTT 5 alone; left out when the client accepts no packet so large. */
  readonly userProperties?: Buffer | null;
}

/**
 * Encodes what one connection gets in one turn into a scratch buffer that all connections of a node share:
 *
 *   writer.begin(level, client's Maximum Packet Size);
 *   writer.puback(1); writer.publish(…);      // the caller looks at `length` to bound a write
 *   socket.write(writer.bytes());
 *   writer.end(socket.writableLength === 0);  // whether the kernel has taken it all
 *
 * Nothing between `begin` and `end` may begin another. Whatever is larger than the client accepts is left out
 * (MQTT-3.1.2-24), and its method returns false.
 */
export class PacketWriter {
  /** Is told of each packet: the number of its type. */
  sent: ((type: number) => void) | null = null;
  readonly #out = new ScratchBuffer();
  #level: ProtocolLevel = 4;
  #maxPacketBytes = Infinity;

  /** Bytes since `begin`. */
  get length(): number {
    return this.#out.length;
  }

  /** @param maxPacketBytes Maximum Packet Size of the client; Infinity: it named none */
  begin(level: ProtocolLevel, maxPacketBytes = Infinity): void {
    this.#level = level;
    this.#maxPacketBytes = maxPacketBytes;
    this.#out.begin();
  }

  /** A view of the scratch buffer with everything since `begin`. */
  bytes(): Buffer {
    return this.#out.bytes();
  }

  /** @param taken false: somebody still reads the bytes, so the scratch buffer goes on behind them */
  end(taken: boolean): void {
    this.#out.end(taken);
  }

  /** @returns false too for a reason that MQTT 3.1.1 has no return code for */
  connack(sessionPresent: boolean, reason: number, properties: ConnackProperties | null = null): boolean {
    const code = this.#level === 5 ? reason : connackReturnCode(reason);
    if (code === null) return false;
    const encoded = this.#level === 4 ? EMPTY : properties === null ? NO_PROPERTIES : encodeProperties(properties);
    if (!this.#open(TYPE.connack << 4, 2 + encoded.length)) return false;
    // MQTT-3.2.2-6; of MQTT 3.1.1: MQTT-3.2.2-4
    this.#out.byte(sessionPresent && code === 0 ? 1 : 0);
    this.#out.byte(code);
    this.#out.copy(encoded);
    return true;
  }

  /** The reason is sent in MQTT 5 only; so in the three below. */
  puback(id: number, reason = 0): boolean {
    return this.#acknowledge(TYPE.puback << 4, id, reason);
  }

  pubrec(id: number, reason = 0): boolean {
    return this.#acknowledge(TYPE.pubrec << 4, id, reason);
  }

  pubrel(id: number, reason = 0): boolean {
    return this.#acknowledge(PUBREL, id, reason);
  }

  pubcomp(id: number, reason = 0): boolean {
    return this.#acknowledge(TYPE.pubcomp << 4, id, reason);
  }

  /** @param reasons in the order of the filters (MQTT-3.8.4-6); all failures are 0x80 in MQTT 3.1.1 (MQTT-3.9.3-2) */
  suback(id: number, reasons: readonly number[]): boolean {
    const { length } = reasons;
    if (this.#level === 5) return this.#answer(TYPE.suback << 4, id, reasons);
    if (!this.#open(TYPE.suback << 4, 2 + length)) return false;
    this.#out.uint16(id);
    for (const reason of reasons) this.#out.byte(reason > 2 ? SUBACK_FAILURE : reason);
    return true;
  }

  /** @param reasons in the order of the filters (MQTT-3.11.3-1); not sent in MQTT 3.1.1 */
  unsuback(id: number, reasons: readonly number[]): boolean {
    if (this.#level === 5) return this.#answer(TYPE.unsuback << 4, id, reasons);
    return this.#acknowledge(TYPE.unsuback << 4, id, 0);
  }

  pingresp(): boolean {
    return this.#open(TYPE.pingresp << 4, 0);
  }

  /**
   * @param properties left out when the client accepts no packet so large
   * @returns false too in MQTT 3.1.1, where only clients send DISCONNECT
   */
  disconnect(reason: number, properties: SentDisconnectProperties | null = null): boolean {
    if (this.#level === 4) return false;
    const encoded = properties === null ? EMPTY : encodeProperties(properties);
    if (!this.#open(TYPE.disconnect << 4, 1 + encoded.length)) return encoded !== EMPTY && this.disconnect(reason);
    this.#out.byte(reason);
    this.#out.copy(encoded);
    return true;
  }

  /**
   * Never retained: a shadow has its own way to tell what it holds.
   *
   * @param id 0 with QoS 0
   * @param subscriptionIds MQTT 5: of every subscription that matches and has one
   */
  publish(
    message: WrittenMessage,
    qos: 0 | 1,
    id: number,
    dup: boolean,
    subscriptionIds: readonly number[] | null,
  ): boolean {
    const { topic, payload } = message;
    const users = (this.#level === 5 && message.userProperties) || EMPTY;
    const topicBytes = Buffer.byteLength(topic);
    const payloadBytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
    const idBytes = this.#level === 5 ? identifiersLength(subscriptionIds) : 0;
    const listed = idBytes + users.length;
    const propertyBytes = this.#level === 5 ? variableLength(listed) + listed : 0;
    const remaining = 2 + topicBytes + (qos === 0 ? 0 : 2) + propertyBytes + payloadBytes;
    const first = (TYPE.publish << 4) | (dup && qos !== 0 ? 8 : 0) | (qos << 1);
    // A trace must not make a message too large that would fit.
    if (!this.#open(first, remaining))
      return users.length > 0 && this.publish({ topic, payload }, qos, id, dup, subscriptionIds);
    this.#out.uint16(topicBytes);
    this.#out.text(topic, topicBytes);
    if (qos !== 0) this.#out.uint16(id);
    if (this.#level === 5) this.#publishProperties(listed, subscriptionIds, users);
    if (typeof payload === 'string') this.#out.text(payload, payloadBytes);
    else this.#out.copy(payload);
    return true;
  }

  /** Writes a fixed header and makes room for the rest; false when the packet is larger than the client accepts. */
  #open(first: number, remaining: number): boolean {
    const header = 1 + variableLength(remaining);
    if (header + remaining > this.#maxPacketBytes) return false;
    this.sent?.(first >> 4);
    this.#out.reserve(header + remaining);
    this.#out.byte(first);
    this.#out.variable(remaining);
    return true;
  }

  #acknowledge(first: number, id: number, reason: number): boolean {
    const withReason = this.#level === 5 && reason !== REASON.success;
    if (!this.#open(first, withReason ? 3 : 2)) return false;
    this.#out.uint16(id);
    if (withReason) this.#out.byte(reason);
    return true;
  }

  #answer(first: number, id: number, reasons: readonly number[]): boolean {
    if (!this.#open(first, 3 + reasons.length)) return false;
    this.#out.uint16(id);
    this.#out.byte(0);
    for (const reason of reasons) this.#out.byte(reason);
    return true;
  }

  #publishProperties(length: number, ids: readonly number[] | null, users: Buffer): void {
    this.#out.variable(length);
    for (const id of ids ?? NO_IDS) {
      this.#out.byte(SUBSCRIPTION_IDENTIFIER);
      this.#out.variable(id);
    }
    if (users.length > 0) this.#out.copy(users);
  }
}

function identifiersLength(ids: readonly number[] | null): number {
  let length = 0;
  if (ids !== null) for (const id of ids) length += 1 + variableLength(id);
  return length;
}
