import { type Fields, malformed, protocolError } from './fields.js';
import type { AuthPacket, DisconnectPacket, Properties, ProtocolLevel } from './packet.js';
import { TYPE } from './packet-types.js';
import type { Place } from './properties.js';
import { readProperties } from './properties-reader.js';
import { REASON } from './reason-codes.js';

const NO_PROPERTIES: Readonly<Properties> = Object.freeze({});

/** MQTT-3.4.2-1, MQTT-3.5.2-1 */
const TO_A_PUBLISH: ReadonlySet<number> = new Set([
  REASON.success,
  REASON.noMatchingSubscribers,
  REASON.unspecified,
  REASON.implementationSpecific,
  REASON.notAuthorized,
  REASON.topicNameInvalid,
  REASON.packetIdentifierInUse,
  REASON.quotaExceeded,
  REASON.payloadFormatInvalid,
]);
/** MQTT-3.6.2-1, MQTT-3.7.2-1 */
const OF_QOS_2: ReadonlySet<number> = new Set([REASON.success, REASON.packetIdentifierNotFound]);
/** What a client may give (MQTT 5.0 section 3.14.2.1). */
const OF_DISCONNECT: ReadonlySet<number> = new Set([
  REASON.success,
  REASON.disconnectWithWill,
  REASON.unspecified,
  REASON.malformedPacket,
  REASON.protocolError,
  REASON.implementationSpecific,
  REASON.topicNameInvalid,
  REASON.receiveMaximumExceeded,
  REASON.topicAliasInvalid,
  REASON.packetTooLarge,
  REASON.messageRateTooHigh,
  REASON.quotaExceeded,
  REASON.administrativeAction,
  REASON.payloadFormatInvalid,
]);
/** What a client may give (MQTT-3.15.2-1). */
const OF_AUTH: ReadonlySet<number> = new Set([REASON.continueAuthentication, REASON.reAuthenticate]);

export type Acknowledgement = typeof TYPE.puback | typeof TYPE.pubrec | typeof TYPE.pubrel | typeof TYPE.pubcomp;

/** The reason of a PUBACK, PUBREC, PUBREL or PUBCOMP, behind its identifier. In MQTT 3.1.1 there is none. */
export function readAcknowledgement(fields: Fields, type: Acknowledgement, level: ProtocolLevel): number {
  if (level === 4) {
    fields.expectEnd();
    return REASON.success;
  }
  const allowed = type === TYPE.puback || type === TYPE.pubrec ? TO_A_PUBLISH : OF_QOS_2;
  const reason = readReason(fields, allowed);
  readRest(fields, type);
  return reason;
}

/** It may be empty; in MQTT 3.1.1 it must be. */
export function readDisconnect(fields: Fields, level: ProtocolLevel): DisconnectPacket {
  if (level === 4) {
    fields.expectEnd();
    return { reason: REASON.success, properties: NO_PROPERTIES };
  }
  const reason = readReason(fields, OF_DISCONNECT);
  const properties = readRest(fields, TYPE.disconnect);
  if (properties.serverReference !== undefined) throw protocolError('a client sent a server reference');
  return { reason, properties };
}

/** MQTT 5 only. */
export function readAuth(fields: Fields): AuthPacket {
  const reason = readReason(fields, OF_AUTH);
  if (fields.left === 0) throw malformed('AUTH has no properties');
  const properties = readRest(fields, TYPE.auth);
  if (properties.authenticationMethod === undefined) throw protocolError('AUTH names no authentication method');
  return { reason, properties };
}

/** An absent one is success. */
function readReason(fields: Fields, allowed: ReadonlySet<number>): number {
  const reason = fields.left === 0 ? REASON.success : fields.byte();
  if (!allowed.has(reason)) throw protocolError(`a client cannot give the reason 0x${reason.toString(16)} here`);
  return reason;
}

/** Absent properties are none. */
function readRest(fields: Fields, place: Place): Readonly<Properties> {
  const properties = fields.left === 0 ? null : readProperties(fields, place);
  fields.expectEnd();
  return properties ?? NO_PROPERTIES;
}
