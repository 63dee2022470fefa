/** MQTT packets by hand, as lists of fields: a field can be left out, doubled or broken before the bytes are made. */

/** Protocol level of CONNECT: 4 is MQTT 3.1.1. */
export type Version = 4 | 5;

export interface Property {
  readonly id: number;
  /** The value as it is sent. */
  readonly bytes: Buffer;
}

export interface Field {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A list of properties with its length in front. */
export interface PropertyField {
  readonly name: string;
  readonly properties: readonly Property[];
  /** Added to the length that is sent. */
  readonly lengthError?: number;
}

export interface Shape {
  /** First byte of the fixed header. */
  readonly first: number;
  readonly fields: readonly (Field | PropertyField)[];
  /** Bytes sent as Remaining Length instead of the right ones. */
  readonly remainingLength?: Buffer;
}

export const TYPE = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

/** Identifiers of MQTT 5 properties (section 2.2.2.2). */
export const PROPERTY = {
  payloadFormat: 1,
  messageExpiry: 2,
  contentType: 3,
  responseTopic: 8,
  correlationData: 9,
  subscriptionIdentifier: 11,
  sessionExpiry: 17,
  assignedClientIdentifier: 18,
  serverKeepAlive: 19,
  authenticationMethod: 21,
  authenticationData: 22,
  requestProblemInformation: 23,
  willDelay: 24,
  requestResponseInformation: 25,
  responseInformation: 26,
  serverReference: 28,
  reasonString: 31,
  receiveMaximum: 33,
  topicAliasMaximum: 34,
  topicAlias: 35,
  maximumQoS: 36,
  retainAvailable: 37,
  userProperty: 38,
  maximumPacketSize: 39,
  wildcardAvailable: 40,
  subscriptionIdentifierAvailable: 41,
  sharedAvailable: 42,
} as const;

export const byte = (value: number): Buffer => Buffer.from([value & 0xff]);

export function two(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value & 0xffff);
  return bytes;
}

export function four(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** A UTF-8 string or binary data: two bytes of length in front. */
export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([two(bytes.length), bytes]);
}

/** A Variable Byte Integer. */
export function variable(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) | (rest > 127 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from(bytes);
}

export const field = (name: string, bytes: Buffer): Field => ({ name, bytes });

export const isProperties = (any: Field | PropertyField): any is PropertyField => 'properties' in any;

function encodeField(any: Field | PropertyField): Buffer {
  if (!isProperties(any)) return any.bytes;
  const body = Buffer.concat(any.properties.flatMap(({ id, bytes }) => [variable(id), bytes]));
  return Buffer.concat([variable(Math.max(0, body.length + (any.lengthError ?? 0))), body]);
}

export function encode({ first, fields, remainingLength }: Shape): Buffer {
  const body = Buffer.concat(fields.map(encodeField));
  return Buffer.concat([byte(first), remainingLength ?? variable(body.length), body]);
}

export interface Will {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain?: boolean;
  readonly properties?: readonly Property[];
}

export interface ConnectOptions {
  readonly version: Version;
  readonly clientId: string;
  readonly clean: boolean;
  /** Seconds. */
  readonly keepAlive?: number;
  readonly properties?: readonly Property[];
  readonly will?: Will;
  readonly user?: string;
  readonly password?: string;
}

export function connect(options: ConnectOptions): Shape {
  const { version, clientId, will, user, password } = options;
  const flags =
    (options.clean ? 0x02 : 0) |
    (will ? 0x04 | (will.qos << 3) | (will.retain ? 0x20 : 0) : 0) |
    (password === undefined ? 0 : 0x40) |
    (user === undefined ? 0 : 0x80);
  const fields: (Field | PropertyField)[] = [
    field('protocol name', text('MQTT')),
    field('protocol level', byte(version)),
    field('connect flags', byte(flags)),
    field('keep alive', two(options.keepAlive ?? 60)),
  ];
  if (version === 5) fields.push({ name: 'properties', properties: options.properties ?? [] });
  fields.push(field('client id', text(clientId)));
  if (will) {
    if (version === 5) fields.push({ name: 'will properties', properties: will.properties ?? [] });
    fields.push(field('will topic', text(will.topic)), field('will payload', text(will.payload)));
  }
  if (user !== undefined) fields.push(field('user', text(user)));
  if (password !== undefined) fields.push(field('password', text(password)));
  return { first: 0x10, fields };
}

export interface PublishOptions {
  readonly version: Version;
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos: number;
  readonly id?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
  readonly properties?: readonly Property[];
}

export function publish({ version, topic, payload, qos, id, dup, retain, properties = [] }: PublishOptions): Shape {
  const fields: (Field | PropertyField)[] = [field('topic', text(topic))];
  if (qos > 0) fields.push(field('identifier', two(id ?? 1)));
  if (version === 5) fields.push({ name: 'properties', properties });
  fields.push(field('payload', Buffer.from(payload as string)));
  return { first: 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0), fields };
}

export interface Filter {
  readonly filter: string;
  /** Subscription Options; in MQTT 3.1.1 the QoS alone. */
  readonly options: number;
}

export function subscribe(
  version: Version,
  id: number,
  filters: readonly Filter[],
  properties: readonly Property[] = [],
): Shape {
  const fields: (Field | PropertyField)[] = [field('identifier', two(id))];
  if (version === 5) fields.push({ name: 'properties', properties });
  for (const { filter, options } of filters)
    fields.push(field('filter', text(filter)), field('options', byte(options)));
  return { first: 0x82, fields };
}

export function unsubscribe(version: Version, id: number, filters: readonly string[]): Shape {
  const fields: (Field | PropertyField)[] = [field('identifier', two(id))];
  if (version === 5) fields.push({ name: 'properties', properties: [] });
  for (const filter of filters) fields.push(field('filter', text(filter)));
  return { first: 0xa2, fields };
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP, without a reason. */
export function acknowledge(type: 4 | 5 | 6 | 7, id: number): Shape {
  return { first: (type << 4) | (type === TYPE.pubrel ? 2 : 0), fields: [field('identifier', two(id))] };
}

export const PINGREQ: Shape = { first: 0xc0, fields: [] };

/** @param reason MQTT 5 alone; without it the short form is sent */
export function disconnect(version: Version, reason?: number, properties: readonly Property[] = []): Shape {
  if (version === 4 || reason === undefined) return { first: 0xe0, fields: [] };
  return { first: 0xe0, fields: [field('reason', byte(reason)), { name: 'properties', properties }] };
}
