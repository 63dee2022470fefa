import { type Fields, malformed, protocolError } from './fields.js';
import type { ConnectPacket, Properties, ProtocolLevel, Qos, Will } from './packet.js';
import { TYPE } from './packet-types.js';
import { WILL } from './properties.js';
import { readProperties } from './properties-reader.js';
import { ProtocolError } from './protocol-error.js';
import { REASON } from './reason-codes.js';
import { isTopicName } from './topic-names.js';

const FLAG = { reserved: 0x01, clean: 0x02, will: 0x04, willRetain: 0x20, password: 0x40, userName: 0x80 } as const;
const WILL_QOS_SHIFT = 3;

const NO_PROPERTIES: Readonly<Properties> = Object.freeze({});

/** The beginning of a CONNECT: what follows depends on it (MQTT-3.1.2-1, MQTT-3.1.2-2). */
export function readLevel(fields: Fields): ProtocolLevel {
  const name = fields.string();
  const level = fields.byte();
  if (name !== 'MQTT' || (level !== 4 && level !== 5))
    throw new ProtocolError(REASON.unsupportedProtocolVersion, 'neither MQTT 3.1.1 nor MQTT 5.0');
  return level;
}

/** What follows the level. */
export function readConnect(fields: Fields, level: ProtocolLevel): ConnectPacket {
  const flags = fields.byte();
  checkFlags(flags, level);
  const keepAlive = fields.uint16();
  const properties = level === 5 ? readConnectProperties(fields) : NO_PROPERTIES;
  const clientId = fields.string();
  const will = (flags & FLAG.will) === 0 ? null : readWill(fields, flags, level);
  const userName = (flags & FLAG.userName) === 0 ? null : fields.string();
  const password = (flags & FLAG.password) === 0 ? null : fields.binary();
  fields.expectEnd();
  return { level, clean: (flags & FLAG.clean) !== 0, keepAlive, clientId, will, userName, password, properties };
}

function checkFlags(flags: number, level: ProtocolLevel): void {
  // MQTT-3.1.2-3
  if ((flags & FLAG.reserved) !== 0) throw malformed('the reserved flag of CONNECT is set');
  if (willQos(flags) === 3) throw malformed('the QoS of the will is 3');
  if ((flags & FLAG.will) === 0 && (willQos(flags) !== 0 || (flags & FLAG.willRetain) !== 0))
    throw malformed('there is no will for the flags of a will');
  // MQTT-3.1.2-22 of MQTT 3.1.1; MQTT 5 allows it.
  if (level === 4 && (flags & FLAG.password) !== 0 && (flags & FLAG.userName) === 0)
    throw malformed('there is a password without a user name');
}

function willQos(flags: number): number {
  return (flags >> WILL_QOS_SHIFT) & 3;
}

function readConnectProperties(fields: Fields): Readonly<Properties> {
  const properties = readProperties(fields, TYPE.connect) ?? NO_PROPERTIES;
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined)
    throw protocolError('there are authentication data without a method');
  return properties;
}

function readWill(fields: Fields, flags: number, level: ProtocolLevel): Will {
  const properties = (level === 5 ? readProperties(fields, WILL) : null) ?? NO_PROPERTIES;
  const topic = fields.string();
  if (!isTopicName(topic)) throw malformed('the topic of the will is not a topic name');
  const payload = fields.binary();
  return { topic, payload, qos: willQos(flags) as Qos, retain: (flags & FLAG.willRetain) !== 0, properties };
}
