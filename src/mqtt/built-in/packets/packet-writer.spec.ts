import fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import type { ConnackProperties } from './packet.js';
import { PacketWriter, type WrittenMessage } from './packet-writer.js';
import { encodeUserProperties } from './properties-writer.js';
import { REASON } from './reason-codes.js';

type Level = 4 | 5;
type Parsed = mqttPacket.Packet & Record<string, unknown>;

/** What mqtt-packet, which others wrote, makes of the bytes. */
function parsed(bytes: Buffer, level: Level): Parsed[] {
  const parser = mqttPacket.parser({ protocolVersion: level });
  const packets: Parsed[] = [];
  parser.on('packet', (packet) => packets.push(packet as Parsed));
  parser.on('error', (error) => {
    throw error;
  });
  expect(parser.parse(bytes)).toBe(0);
  return packets;
}

/** What comes out of a writer in one turn. */
function written(level: Level, write: (writer: PacketWriter) => void, maxPacketBytes?: number): Buffer {
  const writer = new PacketWriter();
  writer.begin(level, maxPacketBytes);
  write(writer);
  return Buffer.from(writer.bytes());
}

const only = (level: Level, write: (writer: PacketWriter) => void): Parsed => {
  const packets = parsed(written(level, write), level);
  expect(packets).toHaveLength(1);
  return packets[0] as Parsed;
};

describe('a CONNACK', () => {
  it('carries properties in MQTT 5', () => {
    const properties: ConnackProperties = {
      sessionExpiryInterval: 3600,
      receiveMaximum: 16,
      maximumQos: 1,
      retainAvailable: 0,
      maximumPacketSize: 131_072,
      assignedClientIdentifier: 'auto-é',
      topicAliasMaximum: 0,
      reasonString: 'all is well',
      wildcardSubscriptionAvailable: 1,
      subscriptionIdentifiersAvailable: 1,
      sharedSubscriptionAvailable: 0,
      serverKeepAlive: 60,
    };
    const { maximumQos, ...named } = properties;
    expect(only(5, (writer) => writer.connack(true, REASON.success, properties))).toMatchObject({
      cmd: 'connack',
      sessionPresent: true,
      reasonCode: 0,
      properties: {
        ...named,
        maximumQoS: maximumQos,
        retainAvailable: false,
        wildcardSubscriptionAvailable: true,
        subscriptionIdentifiersAvailable: true,
        sharedSubscriptionAvailable: false,
      },
    });
  });

  it('has a return code in MQTT 3.1.1, or is not sent', () => {
    expect(written(4, (writer) => writer.connack(true, REASON.success, { receiveMaximum: 5 }))).toEqual(
      Buffer.from([0x20, 2, 1, 0]),
    );
    const code = (reason: number): number | undefined => written(4, (writer) => writer.connack(false, reason))[3];
    expect(code(REASON.unsupportedProtocolVersion)).toBe(1);
    expect(code(REASON.clientIdentifierNotValid)).toBe(2);
    expect(code(REASON.serverUnavailable)).toBe(3);
    expect(code(REASON.badUserNameOrPassword)).toBe(4);
    expect(code(REASON.notAuthorized)).toBe(5);
    expect(code(REASON.malformedPacket)).toBeUndefined();
  });

  it.each([4, 5] as const)('of a refusal says that there is no session, version %i', (level) => {
    expect(written(level, (writer) => writer.connack(true, REASON.notAuthorized))[2]).toBe(0);
  });
});

describe('acknowledgements', () => {
  it.each([
    [4, [0x40, 2, 1, 2]],
    [5, [0x40, 3, 1, 2, 0x97]],
  ] as const)('carry a reason in version %i only if it has some', (level, bytes) => {
    expect(written(level, (writer) => writer.puback(0x0102, 0x97))).toEqual(Buffer.from(bytes));
  });

  it('are as short as they can be when all is well', () => {
    const all = written(5, (writer) => {
      writer.puback(1);
      writer.pubrec(2);
      writer.pubrel(3);
      writer.pubcomp(0xffff);
      writer.pingresp();
    });
    expect(all.toString('hex')).toBe('40020001' + '50020002' + '62020003' + '7002ffff' + 'd000');
  });

  it('are read by mqtt-packet, with and without a reason', () => {
    const names = ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const;
    const id = fc.integer({ min: 1, max: 0xffff });
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        id,
        fc.boolean(),
        fc.constantFrom(4, 5),
        (name, messageId, fails, level) => {
          const reason = !fails ? 0 : name === 'pubrel' || name === 'pubcomp' ? 0x92 : 0x97;
          const packet = only(level, (writer) => writer[name](messageId, reason));
          expect(packet).toMatchObject({ cmd: name, messageId });
          if (level === 5) expect(packet.reasonCode ?? 0).toBe(reason);
        },
      ),
    );
  });

  it('of SUBSCRIBE and UNSUBSCRIBE have a code for each filter', () => {
    const reasons = [0, 1, 0x87, 0x9e];
    expect(only(5, (writer) => writer.suback(9, reasons))).toMatchObject({
      cmd: 'suback',
      messageId: 9,
      granted: reasons,
    });
    expect(only(4, (writer) => writer.suback(9, reasons))).toMatchObject({ granted: [0, 1, 0x80, 0x80] });
    expect(only(5, (writer) => writer.unsuback(9, [0, 0x11]))).toMatchObject({ cmd: 'unsuback', granted: [0, 0x11] });
    expect(written(4, (writer) => writer.unsuback(9, [0, 0x11]))).toEqual(Buffer.from([0xb0, 2, 0, 9]));
  });
});

describe('a DISCONNECT', () => {
  it('names its reason in MQTT 5', () => {
    expect(
      only(5, (writer) => writer.disconnect(REASON.sessionTakenOver, { reasonString: 'taken over' })),
    ).toMatchObject({
      cmd: 'disconnect',
      reasonCode: 0x8e,
      properties: { reasonString: 'taken over' },
    });
    expect(written(5, (writer) => writer.disconnect(0x8e))).toEqual(Buffer.from([0xe0, 1, 0x8e]));
  });

  it('names another server', () => {
    expect(only(5, (writer) => writer.disconnect(0x9c, { serverReference: 'b:8883' }))).toMatchObject({
      cmd: 'disconnect',
      reasonCode: 0x9c,
      properties: { serverReference: 'b:8883' },
    });
  });

  it('is not sent in MQTT 3.1.1', () => {
    expect(written(4, (writer) => expect(writer.disconnect(0x8e)).toBe(false))).toHaveLength(0);
  });
});

describe('a PUBLISH', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '"', 'é', '√', '\u{1f600}', '/'), maxLength: 200 });
  const payload = fc.oneof(
    text,
    fc.string({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );
  const message = fc.record({
    level: fc.constantFrom(4 as const, 5 as const),
    topic: text.filter((value) => value !== ''),
    payload,
    qos: fc.constantFrom(0 as const, 1 as const),
    id: fc.integer({ min: 1, max: 0xffff }),
    dup: fc.boolean(),
    ids: fc.option(fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 30 })),
  });

  it('is read by mqtt-packet as it was meant', () => {
    fc.assert(
      fc.property(message, ({ level, topic, payload: body, qos, id, dup, ids }) => {
        const packet = only(level, (writer) =>
          writer.publish({ topic, payload: body }, qos, qos === 0 ? 0 : id, dup, ids),
        );
        expect(packet).toMatchObject({ cmd: 'publish', topic, qos, dup: dup && qos === 1, retain: false });
        expect(packet.payload).toEqual(Buffer.from(body as string));
        if (qos === 1) expect(packet.messageId).toBe(id);
        const identifiers = (packet.properties as Record<string, unknown> | undefined)?.subscriptionIdentifier;
        expect(identifiers ?? []).toEqual(level === 4 || ids === null ? [] : ids.length === 1 ? ids[0] : ids);
      }),
      { numRuns: 300 },
    );
  });

  it.each([127, 128, 16_383, 16_384, 2_097_151, 2_097_152])('has a remaining length of %i', (remaining) => {
    const packet = only(4, (writer) =>
      writer.publish({ topic: 't', payload: 'x'.repeat(remaining - 3) }, 0, 0, false, null),
    );
    expect(packet.length).toBe(remaining);
  });

  it('is left out when it is larger than the client accepts, by one byte', () => {
    const bytes = written(5, (writer) => writer.publish({ topic: 'topic', payload: 'payload' }, 1, 1, false, [5]));
    const bounded = (max: number): Buffer =>
      written(
        5,
        (writer) => {
          writer.pingresp();
          expect(writer.publish({ topic: 'topic', payload: 'payload' }, 1, 1, false, [5])).toBe(max >= bytes.length);
          writer.pingresp();
        },
        max,
      );
    expect(bounded(bytes.length)).toHaveLength(bytes.length + 4);
    expect(bounded(bytes.length - 1)).toHaveLength(4);
  });
});

describe('user properties of a PUBLISH', () => {
  const pairs = { traceparent: '00-1-2-01', tracestate: 'é=1' };
  const userProperties = encodeUserProperties(pairs);
  const publish = (level: 4 | 5, message: WrittenMessage, max = Infinity): Buffer =>
    written(level, (writer) => expect(writer.publish(message, 1, 1, false, [5, 6])).toBe(true), max);
  const plain = { topic: 'topic', payload: 'payload' };

  it('come behind the identifiers of its subscriptions, in MQTT 5 alone', () => {
    const packet = only(5, (writer) => writer.publish({ ...plain, userProperties }, 1, 1, false, [5, 6]));
    expect(packet.properties).toEqual({ subscriptionIdentifier: [5, 6], userProperties: pairs });
    expect(publish(4, { ...plain, userProperties })).toEqual(publish(4, plain));
    expect(publish(5, { ...plain, userProperties: null })).toEqual(publish(5, plain));
  });

  it('are left out when the client would accept the packet without them', () => {
    const whole = publish(5, { ...plain, userProperties }).length;
    expect(publish(5, { ...plain, userProperties }, whole)).toHaveLength(whole);
    expect(publish(5, { ...plain, userProperties }, whole - 1)).toEqual(publish(5, plain));
  });
});

describe('whatever is larger than the client accepts', () => {
  it('is left out, and a reason string before its packet is', () => {
    const all = (writer: PacketWriter): void => {
      expect(writer.puback(1, 0x97)).toBe(false);
      expect(writer.suback(1, [0])).toBe(false);
      expect(writer.connack(false, 0)).toBe(false);
      expect(writer.puback(1)).toBe(true);
      expect(writer.disconnect(0x8e, { reasonString: 'a long story' })).toBe(true);
    };
    expect(written(5, all, 4).toString('hex')).toBe('40020001' + 'e0018e');
  });
});

describe('the scratch buffer', () => {
  it('is written again from its beginning when the bytes were taken', () => {
    const writer = new PacketWriter();
    writer.begin(4);
    writer.puback(1);
    const first = writer.bytes();
    writer.end(true);
    writer.begin(4);
    expect(writer.length).toBe(0);
    writer.puback(2);
    expect(first).toEqual(writer.bytes());
    expect(writer.bytes().byteOffset).toBe(first.byteOffset);
  });

  it('never touches bytes that were not taken', () => {
    const writer = new PacketWriter();
    const kept: { bytes: Buffer; copy: Buffer }[] = [];
    for (let turn = 0; turn < 3000; turn++) {
      writer.begin(4);
      writer.puback(turn + 1);
      writer.publish(
        { topic: 'topic', payload: 'x'.repeat(turn % 500 === 0 ? 100_000 : turn % 200) },
        0,
        0,
        false,
        null,
      );
      const bytes = writer.bytes();
      const taken = turn % 3 === 0;
      if (!taken) kept.push({ bytes, copy: Buffer.from(bytes) });
      writer.end(taken);
    }
    for (const { bytes, copy } of kept) expect(bytes.equals(copy)).toBe(true);
    // What waits keeps about its own size alive, and no whole buffer each.
    const buffers = new Set(kept.map(({ bytes }) => bytes.buffer));
    expect(buffers.size).toBeLessThan(20);
  });

  it('grows within a turn without losing what was written', () => {
    const bytes = written(5, (writer) => {
      for (let i = 0; i < 100; i++)
        writer.publish({ topic: 'topic', payload: 'x'.repeat(5000) }, 1, i + 1, false, null);
      expect(writer.length).toBeGreaterThan(500_000);
    });
    expect(parsed(bytes, 5).map((packet) => packet.messageId)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });
});
