import fc, { type Arbitrary } from 'fast-check';
import mqttPacket from 'mqtt-packet';
import type { Properties } from '../../src/mqtt/built-in/packets/packet.js';
import type { Recorded } from './recorded-packets.js';

/** A packet of a client, as mqtt-packet encodes it, and what our reader has to make of it. */
export interface Example {
  readonly bytes: Buffer;
  readonly expected: Recorded;
}

type Level = 4 | 5;

const id = fc.integer({ min: 1, max: 0xffff });
const uint32 = fc.nat({ max: 0xffff_ffff });
/** Well formed, without U+0000; of one to four bytes a character. */
const text = fc.string({
  unit: fc.constantFrom('a', 'Z', '7', ' ', '-', 'é', '√', '\u{1f600}', '\ufeff'),
  maxLength: 20,
});
const name = text.filter((value) => value !== '');
const topic = fc.array(name, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filter = fc
  .tuple(fc.array(fc.oneof(name, fc.constant('+'), fc.constant('')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, hash]) => (hash ? [...levels, '#'] : levels).join('/'))
  .filter((value) => value !== '');
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const data = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes));
const user = fc.option(fc.constant({ colour: 'red', tags: ['a', 'b'] }), { nil: undefined });
const flag = fc.nat({ max: 1 });

const some = <T>(value: Arbitrary<T>): Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const known = (properties: object): Properties =>
  Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as Properties;

const ofPublish = fc.record({
  payloadFormatIndicator: some(flag),
  messageExpiryInterval: some(uint32),
  contentType: some(name),
  responseTopic: some(topic),
  correlationData: some(data),
});
const ofConnect = fc
  .record({
    sessionExpiryInterval: some(uint32),
    receiveMaximum: some(id),
    maximumPacketSize: some(uint32.filter((size) => size > 0)),
    topicAliasMaximum: some(fc.nat({ max: 0xffff })),
    requestResponseInformation: some(flag),
    requestProblemInformation: some(flag),
    authenticationMethod: some(name),
    authenticationData: some(data),
  })
  .map(({ authenticationData, ...rest }) =>
    rest.authenticationMethod === undefined ? rest : { ...rest, authenticationData },
  );

/** mqtt-packet takes flags as booleans. */
const BOOLEANS = ['payloadFormatIndicator', 'requestResponseInformation', 'requestProblemInformation'] as const;
function foreign(properties: Properties, userProperties: object | undefined): object {
  const result: Record<string, unknown> = { ...properties };
  for (const each of BOOLEANS) if (each in result) result[each] = result[each] === 1;
  return userProperties === undefined ? result : { ...result, userProperties };
}

function encode(packet: object, level: Level): Buffer {
  return mqttPacket.generate(packet as mqttPacket.Packet, { protocolVersion: level });
}

export function connectExample(level: Level): Arbitrary<Example> {
  const will = fc.record({
    topic,
    payload,
    qos: fc.constantFrom(0, 1, 2),
    retain: fc.boolean(),
    properties: fc
      .tuple(ofPublish, some(uint32))
      .map(([all, willDelayInterval]) => known({ ...all, willDelayInterval })),
  });
  const parts = { clean: fc.boolean(), keepAlive: fc.nat({ max: 0xffff }), clientId: name, will: fc.option(will) };
  const names = { userName: fc.option(name), password: fc.option(data), properties: ofConnect.map(known), user };
  return fc.record({ ...parts, ...names }).map(({ user: userProperties, ...all }) => {
    // mqtt-packet encodes no password without a user name, which MQTT 5 allows.
    const password = all.userName === null ? null : all.password;
    const own = level === 4 ? {} : all.properties;
    const last = all.will && { ...all.will, properties: level === 4 ? {} : all.will.properties };
    const bytes = encode(
      {
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: level,
        clean: all.clean,
        keepalive: all.keepAlive,
        clientId: all.clientId,
        ...(all.userName === null ? {} : { username: all.userName }),
        ...(password === null ? {} : { password }),
        ...(last === null ? {} : { will: { ...last, properties: foreign(last.properties, userProperties) } }),
        ...(level === 4 ? {} : { properties: foreign(own, userProperties) }),
      },
      level,
    );
    const { clean, keepAlive, clientId, userName } = all;
    return {
      bytes,
      expected: ['connect', { level, clean, keepAlive, clientId, will: last, userName, password, properties: own }],
    };
  });
}

function publishExample(level: Level): Arbitrary<Example> {
  const parts = { topic, payload, qos: fc.constantFrom(0, 1, 2), retain: fc.boolean(), dup: fc.boolean() };
  return fc.record({ ...parts, id, properties: ofPublish.map(known), user }).map((all) => {
    const { user: userProperties, ...packet } = { ...all, dup: all.dup && all.qos > 0 };
    const properties = level === 5 ? foreign(all.properties, userProperties) : undefined;
    const bytes = encode({ cmd: 'publish', ...packet, messageId: all.id, properties }, level);
    const kept = level === 5 && Object.keys(all.properties).length > 0 ? all.properties : null;
    return { bytes, expected: ['publish', { ...packet, id: all.qos > 0 ? all.id : 0, properties: kept }] };
  });
}

function acknowledgementExample(level: Level): Arbitrary<Example> {
  const reasons = { puback: [0, 0x10, 0x87], pubrec: [0, 0x97], pubrel: [0, 0x92], pubcomp: [0, 0x92] };
  const cmd = fc.constantFrom('puback', 'pubrec', 'pubrel', 'pubcomp');
  return fc.tuple(cmd, id, fc.nat(), some(name), user).map(([each, messageId, nth, reasonString, userProperties]) => {
    const reasonCode = level === 4 ? 0 : (reasons[each][nth % reasons[each].length] as number);
    const properties = foreign(known({ reasonString }), userProperties);
    const bytes = encode({ cmd: each, messageId, ...(level === 5 ? { reasonCode, properties } : {}) }, level);
    return { bytes, expected: [each, messageId, reasonCode] };
  });
}

function subscribeExample(level: Level): Arbitrary<Example> {
  const one = { filter, qos: fc.constantFrom(0, 1, 2), noLocal: fc.boolean(), retainAsPublished: fc.boolean() };
  const all = fc.record({ ...one, retainHandling: fc.nat({ max: 2 }) });
  const identifier = some(fc.integer({ min: 1, max: 0xfff_ffff }));
  return fc
    .tuple(id, fc.array(all, { minLength: 1, maxLength: 8 }), identifier, user)
    .map(([messageId, many, subscriptionIdentifier, userProperties]) => {
      const subscriptions = many.map((each) => ({
        topic: each.filter,
        qos: each.qos,
        nl: each.noLocal,
        rap: each.retainAsPublished,
        rh: each.retainHandling,
      }));
      const properties = level === 5 ? foreign(known({ subscriptionIdentifier }), userProperties) : undefined;
      const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 };
      return {
        bytes: encode({ cmd: 'subscribe', messageId, subscriptions, properties }, level),
        expected: [
          'subscribe',
          {
            id: messageId,
            subscriptions: level === 5 ? many : many.map((each) => ({ ...each, ...plain })),
            subscriptionIdentifier: level === 5 ? (subscriptionIdentifier ?? 0) : 0,
          },
        ],
      };
    });
}

function unsubscribeExample(level: Level): Arbitrary<Example> {
  return fc
    .tuple(id, fc.array(filter, { minLength: 1, maxLength: 8 }), user)
    .map(([messageId, filters, userProperties]) => ({
      bytes: encode(
        {
          cmd: 'unsubscribe',
          messageId,
          unsubscriptions: filters,
          properties: level === 5 ? foreign({}, userProperties) : undefined,
        },
        level,
      ),
      expected: ['unsubscribe', { id: messageId, filters }],
    }));
}

function disconnectExample(level: Level): Arbitrary<Example> {
  return fc
    .tuple(fc.constantFrom(0, 4, 0x81), some(uint32), some(name))
    .map(([reason, sessionExpiryInterval, reasonString]) => {
      if (level === 4)
        return { bytes: encode({ cmd: 'disconnect' }, 4), expected: ['disconnect', { reason: 0, properties: {} }] };
      const properties = known({ sessionExpiryInterval, reasonString });
      return {
        bytes: encode({ cmd: 'disconnect', reasonCode: reason, properties }, 5),
        expected: ['disconnect', { reason, properties }],
      };
    });
}

const ping: Example = { bytes: Buffer.from([0xc0, 0]), expected: ['pingreq'] };

/** Any packet that a client may send after its CONNECT. */
export function packetExample(level: Level): Arbitrary<Example> {
  const all = [publishExample, acknowledgementExample, subscribeExample, unsubscribeExample, disconnectExample];
  return fc.oneof(...all.map((example) => example(level)), fc.constant(ping));
}

/** A whole conversation of a client: a CONNECT and what comes after it. */
export function conversation(level: Level): Arbitrary<readonly Example[]> {
  return fc
    .tuple(connectExample(level), fc.array(packetExample(level), { maxLength: 6 }))
    .map(([first, rest]) => [first, ...rest]);
}

/** The bytes, cut at these places. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return sorted.slice(1).map((place, i) => Buffer.from(bytes.subarray(sorted[i], place)));
}
