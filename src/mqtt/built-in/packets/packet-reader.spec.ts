import { connect, packet, properties, sized, uint16, uint32 } from '../../../../test/harness/mqtt-bytes.js';
import { recordingReader } from '../../../../test/harness/recorded-packets.js';
import { ProtocolError } from './protocol-error.js';

const publish = (topic: string, payload: Buffer, first = 0x30): Buffer => packet(first, topic, payload);
const PINGREQ = packet(0xc0);

function readerOf(
  level: 4 | 5,
  options: Parameters<typeof recordingReader>[0] = {},
): ReturnType<typeof recordingReader> {
  const recording = recordingReader(options);
  recording.reader.read(connect(level));
  recording.handler.packets.length = 0;
  return recording;
}

describe('the reader', () => {
  it('reads a CONNECT of MQTT 3.1.1 with everything in it', () => {
    const { reader, handler } = recordingReader();
    const will = ['will/topic', sized(Buffer.from([0, 1]))];
    reader.read(packet(0x10, 'MQTT', 4, 0xec, uint16(30), 'id', will, 'user', sized(Buffer.from([0xff]))));
    expect(handler.packets).toEqual([
      [
        'connect',
        {
          level: 4,
          clean: false,
          keepAlive: 30,
          clientId: 'id',
          will: { topic: 'will/topic', payload: Buffer.from([0, 1]), qos: 1, retain: true, properties: {} },
          userName: 'user',
          password: Buffer.from([0xff]),
          properties: {},
        },
      ],
    ]);
    expect(reader.level).toBe(4);
  });

  it('gives what may stay memory of its own', () => {
    const { reader, handler } = recordingReader();
    reader.read(packet(0x10, 'MQTT', 4, 0x06, uint16(30), 'id', ['will/topic', sized(Buffer.from([0, 1]))]));
    const [, { will }] = handler.packets[0] as unknown as [string, { will: { payload: Buffer } }];
    expect(will.payload.buffer.byteLength).toBe(2);
  });

  it('reads a CONNECT of MQTT 5 with properties, and its will with others', () => {
    const { reader, handler } = recordingReader();
    const own = properties(0x11, uint32(0xffffffff), 0x21, uint16(10), 0x26, 'a', 'b', 0x26, 'a', 'b', 0x15, 'method');
    const will = [properties(0x18, uint32(5), 0x01, 1, 0x08, 'answer'), 'will', 'text'];
    reader.read(packet(0x10, 'MQTT', 5, 0x46, uint16(0), own, '', will, sized(Buffer.from('pw'))));
    expect(handler.packets).toEqual([
      [
        'connect',
        expect.objectContaining({
          level: 5,
          clean: true,
          clientId: '',
          userName: null,
          password: Buffer.from('pw'),
          properties: { sessionExpiryInterval: 0xffffffff, receiveMaximum: 10, authenticationMethod: 'method' },
          will: {
            topic: 'will',
            payload: Buffer.from('text'),
            qos: 0,
            retain: false,
            properties: { willDelayInterval: 5, payloadFormatIndicator: 1, responseTopic: 'answer' },
          },
        }),
      ],
    ]);
  });

  it('keeps the string of a topic as long as its bytes are the same', () => {
    const { reader, handler } = readerOf(4);
    const topics: string[] = [];
    handler.publish = ({ topic }) => topics.push(topic);
    for (const topic of ['a/b', 'a/b', 'a/c', 'é', 'é', '\u00c3\u00a9', 'a/c'])
      reader.read(publish(topic, Buffer.alloc(0)));
    expect(topics).toEqual(['a/b', 'a/b', 'a/c', 'é', 'é', '\u00c3\u00a9', 'a/c']);
  });

  it('does not take one byte of Latin-1 for the topic before it', () => {
    const { reader } = readerOf(4);
    reader.read(publish('é', Buffer.alloc(0)));
    expect(() => reader.read(packet(0x30, sized(Buffer.from([0xe9]))))).toThrow(ProtocolError);
  });

  it('changes no character of a string: a byte order mark stays, and nothing is composed', () => {
    const { reader, handler } = readerOf(5);
    const texts = ['\ufeffa', 'a\ufeff', 'e\u0301', '\u00e9', '\u212b', '\ufffd', '\u0001'];
    for (const text of texts) reader.read(publish(text, Buffer.from([0])));
    expect(handler.packets.map(([, packet]) => (packet as { topic: string }).topic)).toEqual(texts);
  });

  it('gives a payload without copying it', () => {
    const { reader, handler } = readerOf(4);
    const chunk = publish('t', Buffer.from('text'));
    let shared = false;
    handler.publish = ({ payload }) => (shared = payload.buffer === chunk.buffer);
    reader.read(chunk);
    expect(shared).toBe(true);
  });

  it('reads no further than the length that it is told', () => {
    const { reader, handler } = readerOf(4);
    reader.read(Buffer.concat([PINGREQ, publish('stale', Buffer.alloc(3))]), PINGREQ.length);
    expect(handler.packets).toEqual([['pingreq']]);
    expect(reader.heldBytes).toBe(0);
  });

  it('reads a long remaining length in MQTT 3.1.1, which does not forbid it', () => {
    const { reader, handler } = readerOf(4);
    reader.read(Buffer.from([0xc0, 0x80, 0x80, 0x00]));
    expect(handler.packets).toEqual([['pingreq']]);
  });

  it('accepts topic aliases up to the maximum that it is told', () => {
    const { reader, handler } = readerOf(5, { topicAliasMaximum: 2 });
    reader.read(packet(0x30, '', properties(0x23, uint16(2))));
    expect(handler.packets).toEqual([
      ['publish', expect.objectContaining({ topic: '', properties: { topicAlias: 2 } })],
    ]);
    expect(() => reader.read(packet(0x30, '', properties(0x23, uint16(3))))).toThrow(
      expect.objectContaining({ reason: 0x94 }),
    );
  });
});

describe('an incomplete packet', () => {
  it('is kept, and known by its age and its bytes, until it is complete', () => {
    let now = 1000;
    const { reader, handler } = readerOf(4, { monotonic: () => now });
    const whole = publish('topic', Buffer.alloc(100, 'x'));
    reader.read(Buffer.concat([PINGREQ, whole.subarray(0, 10)]));
    expect(reader.incompleteSince).toBe(1000);
    now = 2000;
    reader.read(whole.subarray(10, 20));
    expect(reader.incompleteSince).toBe(1000);
    expect(reader.heldBytes).toBeGreaterThanOrEqual(20);
    expect(reader.heldBytes).toBeLessThanOrEqual(whole.length);
    reader.read(Buffer.concat([whole.subarray(20), PINGREQ, whole.subarray(0, 1)]));
    expect(reader.incompleteSince).toBe(2000);
    expect(handler.packets.map(([name]) => name)).toEqual(['pingreq', 'publish', 'pingreq']);
    reader.read(whole.subarray(1));
    expect(reader.incompleteSince).toBeNull();
    expect(reader.heldBytes).toBe(0);
  });

  it('takes no more memory than it has bytes, at most doubled, whatever length it claims', () => {
    const { reader } = readerOf(4, { maxPacketBytes: 1 << 20 });
    reader.read(Buffer.from([0x30, 0xf0, 0xff, 0x3f]));
    for (let received = 5; received <= 2000; received++) {
      reader.read(Buffer.from([0]));
      expect(reader.heldBytes).toBeLessThanOrEqual(2 * received + 2);
    }
  });

  it.each([
    ['in one piece', [Buffer.from([0x30, 0x80, 0x80, 0x01])]],
    ['byte by byte', [Buffer.from([0x30]), Buffer.from([0x80]), Buffer.from([0x80]), Buffer.from([0x01])]],
  ])('is refused for its length before its body comes, %s', (_, chunks) => {
    const { reader } = readerOf(5, { maxPacketBytes: 16_387 });
    expect(() => chunks.forEach((chunk) => reader.read(chunk))).toThrow(expect.objectContaining({ reason: 0x95 }));
    expect(reader.heldBytes).toBe(0);
  });

  it('is read when it has exactly the most bytes', () => {
    const whole = publish('t', Buffer.alloc(4090));
    const { reader, handler } = readerOf(4, { maxPacketBytes: whole.length });
    reader.read(whole);
    expect(handler.packets).toHaveLength(1);
  });
});

describe('a pause', () => {
  it('ends the loop after the packet in which it comes, and reading goes on from there', () => {
    const { reader, handler } = readerOf(4);
    const chunk = Buffer.concat([PINGREQ, publish('a', Buffer.from('1')), PINGREQ, publish('b', Buffer.from('2'))]);
    handler.then = () => reader.pause();
    reader.read(Buffer.concat([chunk, PINGREQ.subarray(0, 1)]));
    expect(handler.packets).toHaveLength(1);
    expect(reader.isPaused).toBe(true);
    expect(reader.incompleteSince).toBeNull();
    for (let expected = 2; expected <= 4; expected++) {
      reader.resume();
      expect(handler.packets).toHaveLength(expected);
    }
    reader.resume();
    expect(reader.isPaused).toBe(false);
    expect(reader.incompleteSince).not.toBeNull();
    handler.then = () => {};
    reader.read(PINGREQ.subarray(1));
    expect(handler.packets.map(([name]) => name)).toEqual(['pingreq', 'publish', 'pingreq', 'publish', 'pingreq']);
    expect(reader.heldBytes).toBe(0);
  });

  it('may be taken back in the call in which it was made', () => {
    const { reader, handler } = readerOf(4);
    handler.then = () => {
      reader.pause();
      reader.resume();
    };
    reader.read(Buffer.concat([PINGREQ, PINGREQ]));
    expect(handler.packets).toHaveLength(2);
  });

  it('keeps what still comes, in order and up to a bound', () => {
    const { reader, handler } = readerOf(4);
    reader.read(PINGREQ.subarray(0, 1));
    reader.pause();
    reader.read(Buffer.concat([PINGREQ.subarray(1), publish('a', Buffer.alloc(0))]));
    reader.read(publish('b', Buffer.alloc(0)));
    expect(handler.packets).toEqual([]);
    reader.resume();
    expect(handler.packets.map(([name]) => name)).toEqual(['pingreq', 'publish', 'publish']);
    reader.pause();
    const flood = (): void => {
      for (let i = 0; i < 5; i++) reader.read(Buffer.alloc(64 * 1024));
    };
    expect(flood).toThrow(expect.objectContaining({ reason: 0x97 }));
  });
});

describe('the end of a reader', () => {
  it('comes with a violation, which it repeats', () => {
    const { reader, handler } = readerOf(4);
    const thrown = expect.objectContaining({ reason: 0x82, message: 'there is a second CONNECT' });
    expect(() => reader.read(Buffer.concat([PINGREQ, connect(4), PINGREQ]))).toThrow(thrown);
    expect(() => reader.read(PINGREQ)).toThrow(thrown);
    expect(() => reader.resume()).toThrow(thrown);
    expect(handler.packets).toHaveLength(1);
  });

  it('comes with an error of the handler, which goes through', () => {
    const { reader, handler } = readerOf(4);
    handler.then = () => {
      throw new Error('the door fell down');
    };
    expect(() => reader.read(Buffer.concat([PINGREQ, PINGREQ]))).toThrow('the door fell down');
    expect(handler.packets).toHaveLength(1);
    expect(() => reader.read(PINGREQ)).toThrow('the door fell down');
  });

  it('comes with `close`, at once and without an error', () => {
    const { reader, handler } = readerOf(4);
    handler.then = () => reader.close();
    reader.read(Buffer.concat([PINGREQ, PINGREQ, Buffer.from([0x30])]));
    reader.resume();
    reader.read(PINGREQ);
    expect(handler.packets).toHaveLength(1);
    expect(reader.heldBytes).toBe(0);
  });

  it('does not let a handler read from the reader that calls it', () => {
    const { reader, handler } = readerOf(4);
    handler.then = () => reader.read(PINGREQ);
    expect(() => reader.read(PINGREQ)).toThrow('may not call the reader');
  });
});
