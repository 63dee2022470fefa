import { connect, packet, type Part, properties, sized, uint16, uint32 } from '../../../../test/harness/mqtt-bytes.js';
import { recordingReader } from '../../../../test/harness/recorded-packets.js';
import { ProtocolError } from './protocol-error.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const UNSUPPORTED_VERSION = 0x84;
const TOPIC_ALIAS_INVALID = 0x94;
const PACKET_TOO_LARGE = 0x95;
const QUOTA_EXCEEDED = 0x97;

type Levels = readonly (4 | 5)[];
const ALL: Levels = [4, 5];

/** What is wrong, in which versions, the reason that ends the connection, the bytes after a CONNECT that is right. */
type Row = readonly [string, Levels, number, (level: 4 | 5) => Buffer];

function refusalOf(chunks: readonly Buffer[]): unknown {
  const { reader } = recordingReader();
  try {
    for (const chunk of chunks) reader.read(chunk);
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    expect((error as ProtocolError).message.length).toBeLessThan(100);
    return (error as ProtocolError).reason;
  }
  return null;
}

/** Empty properties where the version has some. */
const none = (level: 4 | 5): Part => (level === 5 ? properties() : []);
const id = uint16(7);

const BAD_STRINGS: readonly (readonly [string, Buffer])[] = [
  ['U+0000', Buffer.from('a\0b')],
  ['a surrogate', Buffer.from([0xed, 0xa0, 0x80])],
  ['a pair of surrogates', Buffer.from([0xed, 0xa0, 0x81, 0xed, 0xb0, 0x80])],
  ['an overlong form', Buffer.from([0xc0, 0xaf])],
  ['a character beyond U+10FFFF', Buffer.from([0xf4, 0x90, 0x80, 0x80])],
  ['a character cut off', Buffer.from([0x61, 0xc3])],
  ['a byte that is in no character', Buffer.from([0xff])],
];

describe('a CONNECT', () => {
  const head = (level: 4 | 5, flags: number): Part[] => ['MQTT', level, flags, uint16(60), none(level)];
  const rows: readonly Row[] = [
    ['another protocol name', ALL, UNSUPPORTED_VERSION, (v) => packet(0x10, 'MQTt', v, 2, uint16(60), none(v), 'c')],
    ['MQTT 3.1', [4], UNSUPPORTED_VERSION, () => packet(0x10, 'MQIsdp', 3, 2, uint16(60), 'c')],
    ['level 3', [4], UNSUPPORTED_VERSION, () => packet(0x10, 'MQTT', 3, 2, uint16(60), 'c')],
    ['level 6', [5], UNSUPPORTED_VERSION, () => packet(0x10, 'MQTT', 6, 2, uint16(60), properties(), 'c')],
    ['the level of a bridge', ALL, UNSUPPORTED_VERSION, (v) => packet(0x10, 'MQTT', 0x80 | v, 2, uint16(60), 'c')],
    ['a protocol name that is not UTF-8', ALL, MALFORMED, (v) => packet(0x10, sized(Buffer.from([0xff])), v, 2)],
    ['nothing', ALL, MALFORMED, () => packet(0x10)],
    ['flags in its fixed header', ALL, MALFORMED, (v) => packet(0x11, ...head(v, 2), 'c')],
    ['the reserved flag', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 3), 'c')],
    ['a will of QoS 3', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 0x1e), 'c', none(v), 'w', 'p')],
    ['QoS 3 without a will', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 0x1a), 'c')],
    ['a QoS without a will', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 0x0a), 'c')],
    ['Will Retain without a will', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 0x22), 'c')],
    ['a password without a user name', [4], MALFORMED, (v) => packet(0x10, ...head(v, 0x42), 'c', 'p')],
    ['a wildcard in the topic of its will', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 6), 'c', none(v), '+', 'p')],
    ['an empty topic of its will', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 6), 'c', none(v), '', 'p')],
    ['no client identifier', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 2))],
    ['a client identifier cut off', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 2), uint16(3), Buffer.from('ab'))],
    ['no will payload', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 6), 'c', none(v), 'w')],
    ['no user name', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 0x82), 'c')],
    ['no password', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 0xc2), 'c', 'u')],
    ['a byte too many', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 2), 'c', 0)],
    ['a user name without its flag', ALL, MALFORMED, (v) => packet(0x10, ...head(v, 2), 'c', 'u')],
    ['a padded remaining length', [5], MALFORMED, (v) => padded(connect(v))],
  ];
  const strings: readonly Row[] = BAD_STRINGS.flatMap(([name, text]): readonly Row[] => [
    [`${name} in the client identifier`, ALL, MALFORMED, (v) => packet(0x10, ...head(v, 2), sized(text))],
    [
      `${name} in the topic of the will`,
      ALL,
      MALFORMED,
      (v) => packet(0x10, ...head(v, 6), 'c', none(v), sized(text), 'p'),
    ],
    [`${name} in the user name`, ALL, MALFORMED, (v) => packet(0x10, ...head(v, 0x82), 'c', sized(text))],
  ]);

  function padded(whole: Buffer): Buffer {
    return Buffer.concat([whole.subarray(0, 1), Buffer.from([(whole[1] as number) | 0x80, 0]), whole.subarray(2)]);
  }

  it.each([...rows, ...strings])('with %s is refused', (_, levels, reason, build) => {
    for (const level of levels) expect([level, refusalOf([build(level)])]).toEqual([level, reason]);
  });

  it('shows its level as soon as it is known to be served, for the form of the answer', () => {
    for (const [level, known] of [
      [5, 5],
      [4, 4],
      [6, 0],
    ] as const) {
      const { reader } = recordingReader();
      expect(() => reader.read(packet(0x10, 'MQTT', level, 1))).toThrow(ProtocolError);
      expect(reader.level).toBe(known);
    }
  });
});

describe('the properties of a CONNECT', () => {
  const own = (...parts: Part[]): Buffer => packet(0x10, 'MQTT', 5, 2, uint16(60), properties(...parts), 'c');
  const will = (...parts: Part[]): Buffer =>
    packet(0x10, 'MQTT', 5, 6, uint16(60), properties(), 'c', properties(...parts), 'w', 'p');
  const rows: readonly (readonly [string, number, Buffer])[] = [
    ['Session Expiry Interval twice', PROTOCOL_ERROR, own(0x11, uint32(1), 0x11, uint32(1))],
    ['Receive Maximum twice', PROTOCOL_ERROR, own(0x21, uint16(1), 0x21, uint16(1))],
    ['Receive Maximum 0', PROTOCOL_ERROR, own(0x21, uint16(0))],
    ['Maximum Packet Size 0', PROTOCOL_ERROR, own(0x27, uint32(0))],
    ['Maximum Packet Size twice', PROTOCOL_ERROR, own(0x27, uint32(9), 0x27, uint32(9))],
    ['Topic Alias Maximum twice', PROTOCOL_ERROR, own(0x22, uint16(0), 0x22, uint16(0))],
    ['Request Response Information 2', PROTOCOL_ERROR, own(0x19, 2)],
    ['Request Response Information twice', PROTOCOL_ERROR, own(0x19, 1, 0x19, 1)],
    ['Request Problem Information 2', PROTOCOL_ERROR, own(0x17, 2)],
    ['Request Problem Information twice', PROTOCOL_ERROR, own(0x17, 0, 0x17, 0)],
    ['Authentication Method twice', PROTOCOL_ERROR, own(0x15, 'm', 0x15, 'm')],
    ['Authentication Data without a method', PROTOCOL_ERROR, own(0x16, 'd')],
    ['Authentication Data twice', PROTOCOL_ERROR, own(0x15, 'm', 0x16, 'd', 0x16, 'd')],
    ['a property of PUBLISH', MALFORMED, own(0x23, uint16(1))],
    ['a property of the will', MALFORMED, own(0x18, uint32(1))],
    ['a property of CONNACK', MALFORMED, own(0x24, 1)],
    ['an identifier that does not exist', MALFORMED, own(0x04, 1)],
    ['identifier 0', MALFORMED, own(0x00)],
    ['a large identifier', MALFORMED, own(0xff, 0xff, 0x7f)],
    ['an identifier with a padded form', MALFORMED, own(0x91, 0x00, uint32(1))],
    ['an identifier of five bytes', MALFORMED, own(0x80, 0x80, 0x80, 0x80, 0x01)],
    ['a value cut off', MALFORMED, own(0x11, uint16(1))],
    ['a string cut off', MALFORMED, own(0x15, uint16(9), 0x61)],
    ['a user property without a value', MALFORMED, own(0x26, 'name')],
    ['a user property that is not UTF-8', MALFORMED, own(0x26, 'name', sized(Buffer.from([0xff])))],
    ['a user property named U+0000', MALFORMED, own(0x26, '\0', 'value')],
    ['a length beyond the packet', MALFORMED, packet(0x10, 'MQTT', 5, 2, uint16(60), 50, 0x11, uint32(1))],
    ['a length of five bytes', MALFORMED, packet(0x10, 'MQTT', 5, 2, uint16(60), 0x80, 0x80, 0x80, 0x80, 1)],
    ['a padded length', MALFORMED, packet(0x10, 'MQTT', 5, 2, uint16(60), 0x80, 0x00, 'c')],
    ['no length', MALFORMED, packet(0x10, 'MQTT', 5, 2, uint16(60))],
    ['of a will: Will Delay Interval twice', PROTOCOL_ERROR, will(0x18, uint32(1), 0x18, uint32(1))],
    ['of a will: Payload Format Indicator 2', PROTOCOL_ERROR, will(0x01, 2)],
    ['of a will: Payload Format Indicator twice', PROTOCOL_ERROR, will(0x01, 1, 0x01, 1)],
    ['of a will: Message Expiry Interval twice', PROTOCOL_ERROR, will(0x02, uint32(1), 0x02, uint32(1))],
    ['of a will: Content Type twice', PROTOCOL_ERROR, will(0x03, 'a', 0x03, 'a')],
    ['of a will: Response Topic twice', PROTOCOL_ERROR, will(0x08, 'a', 0x08, 'a')],
    ['of a will: Response Topic with a wildcard', PROTOCOL_ERROR, will(0x08, 'a/#')],
    ['of a will: Response Topic cut off', MALFORMED, will(0x08, uint16(500), 0x61)],
    ['of a will: Correlation Data twice', PROTOCOL_ERROR, will(0x09, 'a', 0x09, 'a')],
    ['of a will: a property of CONNECT', MALFORMED, will(0x11, uint32(1))],
    ['of a will: a topic alias', MALFORMED, will(0x23, uint16(1))],
  ];

  it.each(rows)('are refused: %s', (_, reason, build) => {
    expect(refusalOf([build])).toBe(reason);
  });

  it('may hold any number of user properties, which are not kept', () => {
    const { reader, handler } = recordingReader();
    reader.read(own(...Array.from({ length: 500 }, () => [0x26, 'a', 'b'])));
    expect(handler.packets).toEqual([['connect', expect.objectContaining({ properties: {} })]]);
  });
});

describe('a packet', () => {
  const rows: readonly Row[] = [
    ['a second CONNECT', ALL, PROTOCOL_ERROR, connect],
    ['type 0', ALL, MALFORMED, () => packet(0x00)],
    ['CONNACK', ALL, PROTOCOL_ERROR, () => packet(0x20, 0, 0)],
    ['SUBACK', ALL, PROTOCOL_ERROR, () => packet(0x90, id, 0)],
    ['UNSUBACK', ALL, PROTOCOL_ERROR, () => packet(0xb0, id)],
    ['PINGRESP', ALL, PROTOCOL_ERROR, () => packet(0xd0)],
    ['AUTH in MQTT 3.1.1', [4], MALFORMED, () => packet(0xf0)],
    ['a remaining length of five bytes', ALL, MALFORMED, () => Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01])],
    [
      'a remaining length that has no end in four bytes',
      ALL,
      MALFORMED,
      () => Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff]),
    ],
    ['a padded remaining length', [5], MALFORMED, () => Buffer.from([0xc0, 0x80, 0x00])],
    ['more bytes than a packet may have', ALL, PACKET_TOO_LARGE, () => Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])],
    ...([0x41, 0x51, 0x60, 0x63, 0x80, 0x83, 0xa0, 0xa3, 0xc1, 0xe1] as const).map((first): Row => [
      `wrong flags: 0x${first.toString(16)}`,
      ALL,
      MALFORMED,
      (v) => packet(first, id, none(v), 'a', 0),
    ]),
    ['AUTH with flags', [5], MALFORMED, () => packet(0xf1)],
    ['PINGREQ with a body', ALL, MALFORMED, () => packet(0xc0, 0)],
  ];

  it.each(rows)('is refused: %s', (_, levels, reason, build) => {
    for (const level of levels) expect([level, refusalOf([connect(level), build(level)])]).toEqual([level, reason]);
  });

  it.each([0x00, 0x20, 0x30, 0x40, 0x82, 0xc0, 0xe0, 0xf0])(
    'of first byte %i does not come before CONNECT',
    (first) => {
      expect(refusalOf([Buffer.from([first])])).toBe(PROTOCOL_ERROR);
    },
  );
});

describe('a PUBLISH', () => {
  const with5 = (...parts: Part[]): Buffer => packet(0x30, 't', properties(...parts), Buffer.from('payload'));
  const rows: readonly Row[] = [
    ['QoS 3', ALL, MALFORMED, (v) => packet(0x36, 't', id, none(v))],
    ['DUP with QoS 0', ALL, MALFORMED, (v) => packet(0x38, 't', none(v))],
    ['nothing', ALL, MALFORMED, () => packet(0x30)],
    ['a topic cut off', ALL, MALFORMED, () => packet(0x30, uint16(4), Buffer.from('abc'))],
    ['no identifier', ALL, MALFORMED, () => packet(0x32, 't')],
    ['half an identifier', ALL, MALFORMED, () => packet(0x32, 't', 1)],
    ['identifier 0', ALL, PROTOCOL_ERROR, (v) => packet(0x32, 't', uint16(0), none(v))],
    ['+ in its topic', ALL, MALFORMED, (v) => packet(0x30, 'a/+/b', none(v))],
    ['# in its topic', ALL, MALFORMED, (v) => packet(0x30, 'a/#', none(v))],
    ['an empty topic', [4], MALFORMED, () => packet(0x30, '')],
    ['an empty topic and no alias', [5], PROTOCOL_ERROR, () => packet(0x30, '', properties())],
    ['no property length', [5], MALFORMED, () => packet(0x30, 't')],
    ['a property length beyond the packet', [5], MALFORMED, () => packet(0x30, 't', 9, 0x01, 1)],
    ['topic alias 0', [5], TOPIC_ALIAS_INVALID, () => with5(0x23, uint16(0))],
    ['a topic alias that was not offered', [5], TOPIC_ALIAS_INVALID, () => with5(0x23, uint16(1))],
    [
      'an alias alone that was not offered',
      [5],
      TOPIC_ALIAS_INVALID,
      () => packet(0x30, '', properties(0x23, uint16(1))),
    ],
    ['Topic Alias twice', [5], PROTOCOL_ERROR, () => with5(0x23, uint16(1), 0x23, uint16(1))],
    ['a subscription identifier', [5], PROTOCOL_ERROR, () => with5(0x0b, 1)],
    ['Payload Format Indicator 2', [5], PROTOCOL_ERROR, () => with5(0x01, 2)],
    ['Payload Format Indicator twice', [5], PROTOCOL_ERROR, () => with5(0x01, 0, 0x01, 0)],
    ['Message Expiry Interval twice', [5], PROTOCOL_ERROR, () => with5(0x02, uint32(1), 0x02, uint32(1))],
    ['Response Topic twice', [5], PROTOCOL_ERROR, () => with5(0x08, 'a', 0x08, 'a')],
    ['Response Topic with a wildcard', [5], PROTOCOL_ERROR, () => with5(0x08, '+')],
    ['an empty Response Topic', [5], PROTOCOL_ERROR, () => with5(0x08, '')],
    ['Correlation Data twice', [5], PROTOCOL_ERROR, () => with5(0x09, 'a', 0x09, 'a')],
    ['Content Type twice', [5], PROTOCOL_ERROR, () => with5(0x03, 'a', 0x03, 'a')],
    ['a property of CONNECT', [5], MALFORMED, () => with5(0x11, uint32(1))],
    ['a reason string', [5], MALFORMED, () => with5(0x1f, 'why')],
    ['a property that ends beyond the properties', [5], MALFORMED, () => packet(0x30, 't', 3, 0x03, 'abc')],
  ];
  const strings: readonly Row[] = BAD_STRINGS.flatMap(([name, text]): readonly Row[] => [
    [`${name} in its topic`, ALL, MALFORMED, (v) => packet(0x30, sized(text), none(v))],
    [`${name} in its content type`, [5], MALFORMED, () => with5(0x03, sized(text))],
    [`${name} in its response topic`, [5], MALFORMED, () => with5(0x08, sized(text))],
    [`${name} in a user property`, [5], MALFORMED, () => with5(0x26, sized(text), 'v')],
  ]);

  it.each([...rows, ...strings])('with %s is refused', (_, levels, reason, build) => {
    for (const level of levels) expect([level, refusalOf([connect(level), build(level)])]).toEqual([level, reason]);
  });
});

describe('a PUBACK, PUBREC, PUBREL or PUBCOMP', () => {
  const firsts = [0x40, 0x50, 0x62, 0x70];

  it.each(firsts)('of first byte %i is refused for its shape', (first) => {
    const shapes: readonly Row[] = [
      ['no identifier', ALL, MALFORMED, () => packet(first)],
      ['half an identifier', ALL, MALFORMED, () => packet(first, 1)],
      ['identifier 0', ALL, PROTOCOL_ERROR, () => packet(first, uint16(0))],
      ['a reason in MQTT 3.1.1', [4], MALFORMED, () => packet(first, id, 0)],
      ['a reason of SUBACK', [5], PROTOCOL_ERROR, () => packet(first, id, 1)],
      ['a reason that does not exist', [5], PROTOCOL_ERROR, () => packet(first, id, 0xff)],
      ['properties cut off', [5], MALFORMED, () => packet(first, id, 0, 3, 0x1f)],
      ['a byte after the properties', [5], MALFORMED, () => packet(first, id, 0, properties(), 0)],
      ['a property of PUBLISH', [5], MALFORMED, () => packet(first, id, 0, properties(0x01, 1))],
      ['Reason String twice', [5], PROTOCOL_ERROR, () => packet(first, id, 0, properties(0x1f, 'a', 0x1f, 'a'))],
      ['a Reason String with U+0000', [5], MALFORMED, () => packet(first, id, 0, properties(0x1f, '\0'))],
    ];
    for (const [name, levels, reason, build] of shapes)
      for (const level of levels)
        expect([name, level, refusalOf([connect(level), build(level)])]).toEqual([name, level, reason]);
  });

  it('has the reasons that the standard gives it', () => {
    const allowed = firsts.map((first) =>
      Array.from({ length: 256 }, (_, reason) => reason).filter(
        (reason) => refusalOf([connect(5), packet(first, id, reason)]) === null,
      ),
    );
    const toAPublish = [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    expect(allowed).toEqual([toAPublish, toAPublish, [0, 0x92], [0, 0x92]]);
  });
});

describe('a SUBSCRIBE', () => {
  const with5 = (...parts: Part[]): Buffer => packet(0x82, id, properties(...parts), 'a', 0);
  const rows: readonly Row[] = [
    ['no identifier', ALL, MALFORMED, () => packet(0x82)],
    ['identifier 0', ALL, PROTOCOL_ERROR, (v) => packet(0x82, uint16(0), none(v), 'a', 0)],
    ['no filter', ALL, PROTOCOL_ERROR, (v) => packet(0x82, id, none(v))],
    ['no options', ALL, MALFORMED, (v) => packet(0x82, id, none(v), 'a')],
    ['a second filter without options', ALL, MALFORMED, (v) => packet(0x82, id, none(v), 'a', 0, 'b')],
    ['a filter cut off', ALL, MALFORMED, (v) => packet(0x82, id, none(v), uint16(9), 0x61)],
    ['half the length of a filter', ALL, MALFORMED, (v) => packet(0x82, id, none(v), 'a', 0, 0)],
    ['QoS 3', [4], MALFORMED, () => packet(0x82, id, 'a', 3)],
    ['QoS 3', [5], PROTOCOL_ERROR, () => packet(0x82, id, properties(), 'a', 3)],
    ['the options of MQTT 5', [4], MALFORMED, () => packet(0x82, id, 'a', 4)],
    ['reserved bit 6', ALL, MALFORMED, (v) => packet(0x82, id, none(v), 'a', 0x40)],
    ['reserved bit 7', ALL, MALFORMED, (v) => packet(0x82, id, none(v), 'a', 0x80)],
    ['Retain Handling 3', [5], PROTOCOL_ERROR, () => packet(0x82, id, properties(), 'a', 0x30)],
    ['No Local on a shared subscription', [5], PROTOCOL_ERROR, () => packet(0x82, id, properties(), '$share/n/a', 4)],
    [
      'more filters than allowed',
      ALL,
      QUOTA_EXCEEDED,
      (v) => packet(0x82, id, none(v), Array(9).fill(['a', 0]) as Part),
    ],
    ['subscription identifier 0', [5], PROTOCOL_ERROR, () => with5(0x0b, 0)],
    ['Subscription Identifier twice', [5], PROTOCOL_ERROR, () => with5(0x0b, 1, 0x0b, 2)],
    ['a subscription identifier of five bytes', [5], MALFORMED, () => with5(0x0b, 0x80, 0x80, 0x80, 0x80, 1)],
    ['a padded subscription identifier', [5], MALFORMED, () => with5(0x0b, 0x81, 0)],
    ['a reason string', [5], MALFORMED, () => with5(0x1f, 'why')],
    ['no property length', [5], MALFORMED, () => packet(0x82, id)],
    ...['', 'a/#/b', 'a#', '#/a', 'a/b#', 'a+', '+a', 'a/+b', 'a/b+/c', '##', '++', '+#', '#+'].map((filter): Row => [
      `filter "${filter}"`,
      ALL,
      MALFORMED,
      (v) => packet(0x82, id, none(v), filter, 0),
    ]),
    ...['$share/', '$share/n', '$share/n/', '$share//a', '$share/+/a', '$share/n#/a', '$share/n/a#'].map(
      (filter): Row => [`filter "${filter}"`, [5], MALFORMED, (v) => packet(0x82, id, none(v), filter, 0)],
    ),
    ...BAD_STRINGS.map(([name, text]): Row => [name, ALL, MALFORMED, (v) => packet(0x82, id, none(v), sized(text), 0)]),
  ];

  it.each(rows)('with %s is refused', (_, levels, reason, build) => {
    for (const level of levels) expect([level, refusalOf([connect(level), build(level)])]).toEqual([level, reason]);
  });

  it.each(['+', '#', '/', '//', '+/+', '/+', 'a/+/b', 'a/#', '+/#', '$share', '$SYS/#', '$share/n/+/#', 'é/\u{1f600}'])(
    'may have the filter %s',
    (filter) => {
      for (const level of ALL) expect(refusalOf([connect(level), packet(0x82, id, none(level), filter, 0)])).toBeNull();
    },
  );
});

describe('an UNSUBSCRIBE', () => {
  const rows: readonly Row[] = [
    ['no identifier', ALL, MALFORMED, () => packet(0xa2)],
    ['identifier 0', ALL, PROTOCOL_ERROR, (v) => packet(0xa2, uint16(0), none(v), 'a')],
    ['no filter', ALL, PROTOCOL_ERROR, (v) => packet(0xa2, id, none(v))],
    ['a filter cut off', ALL, MALFORMED, (v) => packet(0xa2, id, none(v), 'a', uint16(2), 0x61)],
    ['an empty filter', ALL, MALFORMED, (v) => packet(0xa2, id, none(v), '')],
    ['a wildcard within a level', ALL, MALFORMED, (v) => packet(0xa2, id, none(v), 'a/b+')],
    ['more filters than allowed', ALL, QUOTA_EXCEEDED, (v) => packet(0xa2, id, none(v), Array<Part>(9).fill('a'))],
    ['a property that it has not', [5], MALFORMED, () => packet(0xa2, id, properties(0x0b, 1), 'a')],
    ...BAD_STRINGS.map(([name, text]): Row => [name, ALL, MALFORMED, (v) => packet(0xa2, id, none(v), sized(text))]),
  ];

  it.each(rows)('with %s is refused', (_, levels, reason, build) => {
    for (const level of levels) expect([level, refusalOf([connect(level), build(level)])]).toEqual([level, reason]);
  });
});

describe('a DISCONNECT or AUTH', () => {
  const method = [0x15, 'm'] as const;
  const rows: readonly Row[] = [
    ['a DISCONNECT with a body', [4], MALFORMED, () => packet(0xe0, 0)],
    ['a reason of servers', [5], PROTOCOL_ERROR, () => packet(0xe0, 0x8e)],
    [
      'Session Expiry Interval twice',
      [5],
      PROTOCOL_ERROR,
      () => packet(0xe0, 0, properties(0x11, uint32(1), 0x11, uint32(1))),
    ],
    ['a server reference', [5], PROTOCOL_ERROR, () => packet(0xe0, 0, properties(0x1c, 'elsewhere'))],
    ['Reason String twice', [5], PROTOCOL_ERROR, () => packet(0xe0, 0, properties(0x1f, 'a', 0x1f, 'a'))],
    ['a property of CONNECT', [5], MALFORMED, () => packet(0xe0, 0, properties(0x21, uint16(1)))],
    ['properties cut off', [5], MALFORMED, () => packet(0xe0, 0, 5, 0x11)],
    ['bytes after the properties', [5], MALFORMED, () => packet(0xe0, 0, properties(), 1)],
    ['an AUTH without a reason', [5], PROTOCOL_ERROR, () => packet(0xf0)],
    ['an AUTH of success', [5], PROTOCOL_ERROR, () => packet(0xf0, 0, properties(...method))],
    ['an AUTH without properties', [5], MALFORMED, () => packet(0xf0, 0x18)],
    ['an AUTH without a method', [5], PROTOCOL_ERROR, () => packet(0xf0, 0x18, properties())],
    ['an AUTH with its method twice', [5], PROTOCOL_ERROR, () => packet(0xf0, 0x18, properties(...method, ...method))],
    ['an AUTH with bytes after it', [5], MALFORMED, () => packet(0xf0, 0x18, properties(...method), 0)],
  ];

  it.each(rows)('is refused: %s', (_, levels, reason, build) => {
    for (const level of levels) expect([level, refusalOf([connect(level), build(level)])]).toEqual([level, reason]);
  });

  it('has the reasons that the standard gives a client', () => {
    const allowed = (build: (reason: number) => Buffer): number[] =>
      Array.from({ length: 256 }, (_, reason) => reason).filter(
        (reason) => refusalOf([connect(5), build(reason)]) === null,
      );
    expect(allowed((reason) => packet(0xe0, reason))).toEqual([
      0, 4, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
    ]);
    expect(allowed((reason) => packet(0xf0, reason, properties(...method)))).toEqual([0x18, 0x19]);
  });
});
