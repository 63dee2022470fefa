import type { Random } from '../faults/plans/random.js';
import { byte, encode, field, four, isProperties, PROPERTY, text, two, variable, type Field, type Property, type PropertyField, type Shape } from './wire.js'; // prettier-ignore

/** A packet that breaks one rule, and the name of what was done to it. */
export interface Mutant {
  readonly what: string;
  readonly bytes: Buffer;
}

type Mutation = (shape: Shape, random: Random) => { readonly what: string; readonly shape: Shape } | null;

/** Texts that are no UTF-8, or that MQTT forbids (section 1.5.4). */
const BAD_TEXTS: readonly (readonly [string, Buffer])[] = [
  ['NUL', Buffer.from('a\0b')],
  ['a surrogate', Buffer.from([0x61, 0xed, 0xa0, 0x80])],
  ['overlong UTF-8', Buffer.from([0x61, 0xc0, 0xaf])],
  ['a lone continuation', Buffer.from([0x61, 0x80])],
  ['a cut-off sequence', Buffer.from([0x61, 0xe2, 0x82])],
  ['beyond U+10FFFF', Buffer.from([0xf4, 0x90, 0x80, 0x80])],
];
const TEXT_FIELDS = ['client id', 'will topic', 'user', 'topic', 'filter'];

const replaced = (shape: Shape, at: number, ...fields: (Field | PropertyField)[]): Shape => ({
  ...shape,
  fields: [...shape.fields.slice(0, at), ...fields, ...shape.fields.slice(at + 1)],
});

function pickField(shape: Shape, random: Random, fits: (one: Field | PropertyField) => boolean): number | null {
  const places = shape.fields.flatMap((one, at) => (fits(one) ? [at] : []));
  return places.length === 0 ? null : random.pick(places);
}

const badText: Mutation = (shape, random) => {
  const at = pickField(shape, random, ({ name }) => TEXT_FIELDS.includes(name));
  if (at === null) return null;
  const { name } = shape.fields[at] as Field;
  const [what, bytes] = random.pick(BAD_TEXTS);
  return { what: `${name} with ${what}`, shape: replaced(shape, at, field(name, text(bytes))) };
};

const badTopic: Mutation = (shape, random) => {
  const at = pickField(shape, random, ({ name }) => name === 'topic' || name === 'will topic');
  if (at === null) return null;
  const { name } = shape.fields[at] as Field;
  const topic = random.pick(['$aws/things/+/shadow/update', '$aws/things/a/shadow/#', '#', '+', '']);
  return { what: `${name} '${topic}'`, shape: replaced(shape, at, field(name, text(topic))) };
};

const badFilter: Mutation = (shape, random) => {
  const at = pickField(shape, random, ({ name }) => name === 'filter');
  if (at === null) return null;
  const filter = random.pick(['', '$aws/#/shadow', '$aws/things/a#', '$aws/things/a+/shadow/update', '$aws/things/+a/shadow/update', '$aws/things/##', '$share//a', '$share/g/']); // prettier-ignore
  return { what: `filter '${filter}'`, shape: replaced(shape, at, field('filter', text(filter))) };
};

const badFlags: Mutation = (shape, random) => {
  const type = shape.first >> 4;
  if (type === 3) {
    const first = random.pick([shape.first | 0x06, (shape.first & ~0x06) | 0x08]);
    // DUP must be 0 with QoS 0; the identifier goes with the QoS.
    const fields = first & 0x06 ? shape.fields : shape.fields.filter(({ name }) => name !== 'identifier');
    return { what: first & 0x06 ? 'QoS 3' : 'DUP with QoS 0', shape: { ...shape, first, fields } };
  }
  const flags = random.pick([0, 1, 2, 4, 8, 15].filter((one) => one !== (shape.first & 0x0f)));
  return { what: `header flags ${flags}`, shape: { ...shape, first: (type << 4) | flags } };
};

const zeroIdentifier: Mutation = (shape, random) => {
  const at = pickField(shape, random, ({ name }) => name === 'identifier');
  if (at === null) return null;
  return { what: 'identifier 0', shape: replaced(shape, at, field('identifier', two(0))) };
};

const dropField: Mutation = (shape, random) => {
  const at = pickField(shape, random, ({ name }) => name !== 'payload');
  if (at === null) return null;
  return { what: `no ${(shape.fields[at] as Field).name}`, shape: replaced(shape, at) };
};

const doubleField: Mutation = (shape, random) => {
  // Two payloads are a payload; two filters with their options would be a valid SUBSCRIBE; the second topic of a PUBLISH
  // would be what follows a topic: an identifier or no properties, and a payload.
  const whole = ['payload', 'filter', 'options', ...(shape.first >> 4 === 3 ? ['topic'] : [])];
  const at = pickField(shape, random, ({ name }) => !whole.includes(name));
  if (at === null) return null;
  const one = shape.fields[at] as Field;
  return { what: `${one.name} twice`, shape: replaced(shape, at, one, one) };
};

const cutField: Mutation = (shape, random) => {
  const fits = (one: Field | PropertyField): boolean => !isProperties(one) && one.name !== 'payload';
  const at = pickField(shape, random, fits);
  if (at === null) return null;
  const { name, bytes } = shape.fields[at] as Field;
  // The packet ends here, inside the field.
  const cut = { ...shape, fields: [...shape.fields.slice(0, at), field(name, bytes.subarray(0, bytes.length - 1))] };
  return { what: `ends inside ${name}`, shape: cut };
};

const trailing: Mutation = (shape, random) => {
  if (shape.first >> 4 === 3) return null;
  const bytes = random.pick([byte(0), Buffer.from('\0\x01a'), Buffer.alloc(7, 0xff)]);
  return {
    what: `${bytes.length} bytes too many`,
    shape: { ...shape, fields: [...shape.fields, field('more', bytes)] },
  };
};

const longLength: Mutation = (shape) => {
  const five = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x01]);
  return { what: 'a length of five bytes', shape: { ...shape, remainingLength: five } };
};

const paddedLength: Mutation = (shape) => {
  const plain = encode(shape);
  const length = variable(plain.length - 1 - (plain.length > 128 ? 2 : 1));
  if (length.length !== 1) return null;
  return { what: 'a length with a byte too many', shape: { ...shape, remainingLength: Buffer.from([(length[0] as number) | 0x80, 0]) } }; // prettier-ignore
};

/** A property that the packet may not have, has twice, or has with a value that it may not have. */
const BAD_PROPERTIES: readonly (readonly [string, readonly Property[]])[] = (
  [
    ['Session Expiry Interval twice', [[PROPERTY.sessionExpiry, four(1)], [PROPERTY.sessionExpiry, four(1)]]],
    ['Receive Maximum twice', [[PROPERTY.receiveMaximum, two(9)], [PROPERTY.receiveMaximum, two(9)]]],
    ['Receive Maximum 0', [[PROPERTY.receiveMaximum, two(0)]]],
    ['Maximum Packet Size 0', [[PROPERTY.maximumPacketSize, four(0)]]],
    ['Request Problem Information 2', [[PROPERTY.requestProblemInformation, byte(2)]]],
    ['Request Response Information 2', [[PROPERTY.requestResponseInformation, byte(2)]]],
    ['Topic Alias 0', [[PROPERTY.topicAlias, two(0)]]],
    ['Topic Alias twice', [[PROPERTY.topicAlias, two(1)], [PROPERTY.topicAlias, two(1)]]],
    ['Payload Format Indicator 2', [[PROPERTY.payloadFormat, byte(2)]]],
    ['Response Topic with a wildcard', [[PROPERTY.responseTopic, text('a/+')]]],
    ['Content Type with a surrogate', [[PROPERTY.contentType, text(Buffer.from([0xed, 0xa0, 0x80]))]]],
    ['Subscription Identifier 0', [[PROPERTY.subscriptionIdentifier, byte(0)]]],
    ['Subscription Identifier twice', [[PROPERTY.subscriptionIdentifier, byte(1)], [PROPERTY.subscriptionIdentifier, byte(1)]]],
    ['Authentication Data alone', [[PROPERTY.authenticationData, text('x')]]],
    ['Server Keep Alive', [[PROPERTY.serverKeepAlive, two(5)]]],
    ['Maximum QoS', [[PROPERTY.maximumQoS, byte(1)]]],
    ['Server Reference', [[PROPERTY.serverReference, text('a')]]],
    ['unknown property 4', [[4, byte(0)]]],
    ['unknown property 127', [[127, byte(0)]]],
    ['property identifier of four bytes', [[0x0fffffff, byte(0)]]],
    ['a cut-off User Property', [[PROPERTY.userProperty, text('only a name')]]],
    ['a cut-off Session Expiry Interval', [[PROPERTY.sessionExpiry, two(0)]]],
    ['a cut-off Response Topic', [[PROPERTY.responseTopic, Buffer.from([0x00, 0x40, 0x61])]]],
  ] as const
).map(([what, list]) => [what, list.map(([id, bytes]) => ({ id, bytes }))] as const); // prettier-ignore

const badProperty: Mutation = (shape, random) => {
  const at = pickField(shape, random, isProperties);
  if (at === null) return null;
  const before = shape.fields[at] as PropertyField;
  const [what, properties] = random.pick(BAD_PROPERTIES);
  return {
    what: `${before.name}: ${what}`,
    shape: replaced(shape, at, { ...before, properties: [...before.properties, ...properties] }),
  };
};

const badPropertyLength: Mutation = (shape, random) => {
  const at = pickField(shape, random, isProperties);
  if (at === null) return null;
  const before = shape.fields[at] as PropertyField;
  const lengthError = random.pick([1, -1, 100, 20_000]);
  // With an empty list there is nothing to cut.
  if (lengthError < 0 && before.properties.length === 0) return null;
  return {
    what: `${before.name} with a length off by ${lengthError}`,
    shape: replaced(shape, at, { ...before, lengthError }),
  };
};

const badOptions: Mutation = (shape, random) => {
  const at = pickField(shape, random, ({ name }) => name === 'options');
  if (at === null) return null;
  const options = random.pick([3, 0x31, 0x40, 0x80, 0xff]);
  return { what: `subscription options ${options}`, shape: replaced(shape, at, field('options', byte(options))) };
};

const noFilters: Mutation = (shape, random) => {
  const at = pickField(shape, random, ({ name }) => name === 'filter');
  if (at === null) return null;
  const fields = shape.fields.filter(({ name }) => name !== 'filter' && name !== 'options');
  return { what: 'no filters', shape: { ...shape, fields } };
};

const badConnect: Mutation = (shape, random) => {
  if (shape.first >> 4 !== 1) return null;
  const place = (name: string): number => shape.fields.findIndex((one) => one.name === name);
  const flags = (shape.fields[place('connect flags')] as Field).bytes[0] as number;
  const [what, name, bytes] = random.pick([
    ['protocol name MQTTX', 'protocol name', text('MQTTX')],
    ['protocol name mqtt', 'protocol name', text('mqtt')],
    ['protocol name MQIsdp', 'protocol name', text('MQIsdp')],
    ['protocol level 6', 'protocol level', byte(6)],
    ['protocol level 0', 'protocol level', byte(0)],
    ['the reserved connect flag', 'connect flags', byte(flags | 1)],
    ['will QoS without a will', 'connect flags', byte((flags & ~0x3c) | 0x08)],
    ['will retain without a will', 'connect flags', byte((flags & ~0x3c) | 0x20)],
    ['will QoS 3', 'connect flags', byte(flags | 0x1c)],
    ['a password flag without a user', 'connect flags', byte((flags & ~0x80) | 0x40)],
  ] as const);
  return { what, shape: replaced(shape, place(name), field(name, bytes)) };
};

const MUTATIONS: readonly Mutation[] = [badText, badTopic, badFilter, badFlags, zeroIdentifier, dropField, doubleField, cutField, trailing, longLength, paddedLength, badProperty, badProperty, badProperty, badPropertyLength, badOptions, noFilters, badConnect, badConnect]; // prettier-ignore

/** Breaks a valid packet at one place that its kind has. */
export function mutate(shape: Shape, random: Random): Mutant {
  for (;;) {
    const mutant = random.pick(MUTATIONS)(shape, random);
    if (mutant) return { what: mutant.what, bytes: encode(mutant.shape) };
  }
}
