import { mutate } from '../conformance/mutate.js';
import { acknowledge, byte, connect, disconnect, encode, four, PINGREQ, PROPERTY, publish, subscribe, text, unsubscribe, type Property, type Shape, type Version } from '../conformance/wire.js'; // prettier-ignore
import type { Random } from '../faults/plans/random.js';

/** Packets of a client that is odd: each is well-formed, most are of no sense. */

const ODD_NAMES = ['a', 'lamp-1', 'x'.repeat(128), 'x'.repeat(129), 'a b', '__proto__', 'constructor', 'é€😀', '+', '..', 'name', 'update', '']; // prettier-ignore
const TAILS = ['update', 'update', 'update', 'get', 'delete', 'update/accepted', 'update/delta', 'nothing', 'name/n/update', 'name//get', 'name/update/delete']; // prettier-ignore
const DOCUMENTS = ['', '{}', '{', 'null', '[]', '{"state":{"reported":{"n":1}}}', '{"state":{"desired":{"a":{"b":[1,2,{}]}}},"clientToken":"t"}', '{"state":null}', '{"state":{"desired":null}}', '{"state":{"__proto__":{"a":1}}}', '{"state":{"reported":{"a":1e400}}}', '{"version":99,"state":{}}', '\u0000', '"\\ud800"']; // prettier-ignore
const FILTERS = ['#', '+/+', '$aws/#', '$aws/things/+/shadow/#', '$share/g/$aws/#', '$SYS/#', 'a'.repeat(300), '/', '//', '+/#', '$aws/things/a/shadow/+/accepted']; // prettier-ignore

export const oddTopic = (random: Random): string =>
  random.next() < 0.85
    ? `$aws/things/${random.pick(ODD_NAMES)}/shadow/${random.pick(TAILS)}`
    : random.pick(['a', 'a/b', '$SYS/x', '$aws', '/', 'x'.repeat(1000)]);

function payload(random: Random): string | Buffer {
  const roll = random.next();
  if (roll < 0.8) return random.pick(DOCUMENTS);
  if (roll < 0.9) return '['.repeat(random.int(1, 3000));
  return Buffer.from(Array.from({ length: random.int(1, 64) }, () => random.int(0, 255)));
}

function properties(random: Random): Property[] {
  if (random.next() < 0.7) return [];
  const all: readonly Property[] = [
    { id: PROPERTY.payloadFormat, bytes: byte(random.int(0, 1)) },
    { id: PROPERTY.messageExpiry, bytes: four(random.int(0, 100)) },
    { id: PROPERTY.contentType, bytes: text('application/json') },
    { id: PROPERTY.responseTopic, bytes: text('a/b') },
    { id: PROPERTY.correlationData, bytes: text('c'.repeat(random.int(0, 200))) },
    { id: PROPERTY.userProperty, bytes: Buffer.concat([text('k'), text('v'.repeat(random.int(0, 200)))]) },
  ];
  return [random.pick(all)];
}

export function oddConnect(random: Random, version: Version, clientId: string): Shape {
  const shape = {
    version,
    clientId,
    clean: random.next() < 0.5,
    keepAlive: random.pick([0, 1, 60, 65535]),
    properties:
      random.next() < 0.5 ? [] : [{ id: PROPERTY.sessionExpiry, bytes: four(random.pick([0, 1, 0xffffffff])) }],
  };
  if (random.next() < 0.7) return connect(shape);
  const delay = { id: PROPERTY.willDelay, bytes: four(random.pick([0, 1, 5])) };
  const will = {
    topic: oddTopic(random).replace(/[+#]/g, 'x') || 'x',
    payload: random.pick(DOCUMENTS),
    qos: random.int(0, 2),
    properties: [delay],
  };
  return connect({ ...shape, will });
}

export function oddPacket(random: Random, version: Version): Shape {
  const roll = random.next();
  const id = random.int(1, 65535);
  if (roll < 0.55) {
    const topic = oddTopic(random).replace(/[+#]/g, 'x') || 'x';
    const qos = random.next() < 0.02 ? 2 : random.int(0, 1);
    return publish({
      version,
      topic,
      payload: payload(random),
      qos,
      id,
      dup: qos > 0 && random.next() < 0.1,
      retain: random.next() < 0.02,
      properties: version === 5 ? properties(random) : [],
    });
  }
  if (roll < 0.75) {
    const filters = Array.from({ length: random.int(1, 8) }, () => ({
      filter: random.next() < 0.5 ? random.pick(FILTERS) : oddTopic(random).replace(/[+#]/g, 'x') || 'x',
      options: random.int(0, 2),
    }));
    return subscribe(version, id, filters);
  }
  if (roll < 0.85)
    return unsubscribe(version, id, [random.pick(FILTERS), oddTopic(random).replace(/[+#]/g, 'x') || 'x']);
  if (roll < 0.93) return acknowledge(random.pick([4, 4, 5, 6, 7] as const), id);
  if (roll < 0.97) return PINGREQ;
  return random.next() < 0.5 ? disconnect(version) : connect({ version, clientId: 'again', clean: true });
}

/** Breaks bytes without any idea of what they mean: flips, cuts, repeats, and pieces of another packet. */
export function breakBytes(bytes: Buffer, other: Buffer, random: Random): Buffer {
  const at = random.int(0, bytes.length - 1);
  const to = random.int(at, bytes.length);
  switch (random.int(0, 6)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      for (let n = random.int(1, 4); n > 0; n--) {
        const place = random.int(0, flipped.length - 1);
        flipped[place] = (flipped[place] as number) ^ (1 << random.int(0, 7));
      }
      return flipped;
    }
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at, to), bytes.subarray(to)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.int(0, other.length))]);
    case 5: {
      const noise = Buffer.from(bytes);
      for (let place = at; place < to; place++) noise[place] = random.int(0, 255);
      return noise;
    }
    default: {
      // The header, with its length, is where most of the decisions are.
      const head = Buffer.from(bytes);
      const place = random.int(0, Math.min(4, head.length - 1));
      head[place] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.int(0, 255)]);
      return head;
    }
  }
}

/** One packet that breaks a rule, or that makes no sense at all. */
export function brokenPacket(random: Random, version: Version): Buffer {
  const shape = random.next() < 0.15 ? oddConnect(random, version, 'broken') : oddPacket(random, version);
  if (random.next() < 0.5) return mutate(shape, random).bytes;
  return breakBytes(encode(shape), encode(oddPacket(random, version)), random);
}
