import type { Properties } from './packet.js';
import { TYPE } from './packet-types.js';

/** Where properties stand: in a packet, or with the will of a CONNECT. */
export const WILL = 0;
export type Place = typeof WILL | (typeof TYPE)[keyof typeof TYPE];

/** `flag` is a byte of 0 or 1; `positive…` must not be 0. */
export type Kind =
  | 'flag'
  | 'uint16'
  | 'positiveUint16'
  | 'uint32'
  | 'positiveUint32'
  | 'positiveVariable'
  | 'string'
  | 'topic'
  | 'binary';

export interface Property {
  readonly id: number;
  readonly name: keyof Properties;
  readonly kind: Kind;
  /** One bit for each place. */
  readonly places: number;
}

/** Two strings; the only property that may come more than once, in every packet that has properties. */
export const USER_PROPERTY = 0x26;

const bits = (places: readonly Place[]): number => places.reduce<number>((all, place) => all | (1 << place), 0);
const row = (id: number, name: keyof Properties, kind: Kind, ...places: Place[]): Property => ({
  id,
  name,
  kind,
  places: bits(places),
});

const { connect, connack, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsuback, disconnect, auth } =
  TYPE;
const answers = [connack, puback, pubrec, pubrel, pubcomp, suback, unsuback, disconnect, auth];

/** MQTT 5.0 section 2.2.2.2. */
export const PROPERTIES: readonly Property[] = [
  row(0x01, 'payloadFormatIndicator', 'flag', publish, WILL),
  row(0x02, 'messageExpiryInterval', 'uint32', publish, WILL),
  row(0x03, 'contentType', 'string', publish, WILL),
  row(0x08, 'responseTopic', 'topic', publish, WILL),
  row(0x09, 'correlationData', 'binary', publish, WILL),
  row(0x0b, 'subscriptionIdentifier', 'positiveVariable', publish, subscribe),
  row(0x11, 'sessionExpiryInterval', 'uint32', connect, connack, disconnect),
  row(0x12, 'assignedClientIdentifier', 'string', connack),
  row(0x13, 'serverKeepAlive', 'uint16', connack),
  row(0x15, 'authenticationMethod', 'string', connect, connack, auth),
  row(0x16, 'authenticationData', 'binary', connect, connack, auth),
  row(0x17, 'requestProblemInformation', 'flag', connect),
  row(0x18, 'willDelayInterval', 'uint32', WILL),
  row(0x19, 'requestResponseInformation', 'flag', connect),
  row(0x1a, 'responseInformation', 'string', connack),
  row(0x1c, 'serverReference', 'string', connack, disconnect),
  row(0x1f, 'reasonString', 'string', ...answers),
  row(0x21, 'receiveMaximum', 'positiveUint16', connect, connack),
  row(0x22, 'topicAliasMaximum', 'uint16', connect, connack),
  row(0x23, 'topicAlias', 'uint16', publish),
  row(0x24, 'maximumQos', 'flag', connack),
  row(0x25, 'retainAvailable', 'flag', connack),
  row(0x27, 'maximumPacketSize', 'positiveUint32', connect, connack),
  row(0x28, 'wildcardSubscriptionAvailable', 'flag', connack),
  row(0x29, 'subscriptionIdentifiersAvailable', 'flag', connack),
  row(0x2a, 'sharedSubscriptionAvailable', 'flag', connack),
];
