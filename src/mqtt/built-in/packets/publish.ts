import { type Fields, malformed, protocolError } from './fields.js';
import type { Properties, PublishPacket, ProtocolLevel, Qos } from './packet.js';
import { TYPE } from './packet-types.js';
import { readProperties } from './properties-reader.js';
import { ProtocolError } from './protocol-error.js';
import { REASON } from './reason-codes.js';
import { isTopicName } from './topic-names.js';
import { decodeUtf8 } from './utf8.js';

const DUP = 0x08;
const RETAIN = 0x01;
const EMPTY = Buffer.alloc(0);
/** Characters of a topic that is kept for the next PUBLISH. Those of shadows have no more. */
const MAX_KEPT_TOPIC = 256;

/** The PUBLISH that a connection sent last: one object for all of them, since they are most of what arrives. */
export class IncomingPublish implements PublishPacket {
  topic = '';
  payload: Buffer = EMPTY;
  qos: Qos = 0;
  retain = false;
  dup = false;
  id = 0;
  properties: Properties | null = null;
  /** Whether the bytes of `topic` are its characters. */
  #isAscii = true;

  /** @param flags of the fixed header */
  read(fields: Fields, flags: number, level: ProtocolLevel, topicAliasMaximum: number): void {
    this.#readFlags(flags);
    this.#readTopic(fields);
    this.id = this.qos === 0 ? 0 : fields.packetIdentifier();
    this.properties = level === 5 ? readProperties(fields, TYPE.publish) : null;
    this.#checkTopic(level, topicAliasMaximum);
    this.payload = fields.buffer.subarray(fields.at, fields.end);
  }

  /** The payload belongs to a read buffer that is about to change. */
  forget(): void {
    this.payload = EMPTY;
    this.properties = null;
    if (this.topic.length > MAX_KEPT_TOPIC) this.topic = '';
  }

  #readFlags(flags: number): void {
    const qos = (flags >> 1) & 3;
    // MQTT-3.3.1-4
    if (qos === 3) throw malformed('the QoS of a PUBLISH is 3');
    this.qos = qos as Qos;
    this.dup = (flags & DUP) !== 0;
    this.retain = (flags & RETAIN) !== 0;
    // MQTT-3.3.1-2
    if (this.dup && qos === 0) throw malformed('DUP is set with QoS 0');
  }

  /** A device says the same topic again and again: its string is made once. */
  #readTopic(fields: Fields): void {
    const length = fields.uint16();
    const start = fields.at;
    const end = start + length;
    if (end > fields.end) throw malformed('the topic is cut off');
    fields.at = end;
    if (this.#isTopic(fields.buffer, start, end)) return;
    const topic = decodeUtf8(fields.buffer, start, end);
    if (topic === null) throw malformed('the topic is not UTF-8, or contains U+0000');
    if (topic !== '' && !isTopicName(topic)) throw malformed('there is a wildcard in the topic of a PUBLISH');
    this.#isAscii = topic.length === length;
    if (topic !== this.topic) this.topic = topic;
  }

  #isTopic(buffer: Buffer, start: number, end: number): boolean {
    const { topic } = this;
    if (!this.#isAscii || topic.length !== end - start) return false;
    for (let i = 0; i < topic.length; i++) if (buffer[start + i] !== topic.charCodeAt(i)) return false;
    return true;
  }

  #checkTopic(level: ProtocolLevel, topicAliasMaximum: number): void {
    const { properties } = this;
    const alias = properties?.topicAlias;
    if (alias !== undefined && (alias === 0 || alias > topicAliasMaximum))
      throw new ProtocolError(REASON.topicAliasInvalid, 'the topic alias is not one that was offered');
    // MQTT-3.3.4-6
    if (properties?.subscriptionIdentifier !== undefined)
      throw protocolError('a client sent a subscription identifier with a PUBLISH');
    if (this.topic !== '' || alias !== undefined) return;
    throw level === 5
      ? protocolError('there is neither a topic nor an alias')
      : malformed('the topic of a PUBLISH is empty');
  }
}
