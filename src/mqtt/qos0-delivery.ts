import type { AedesClient, OutgoingPacket } from './aedes-parts.js';

/** Bytes of a PUBLISH of QoS 0 (MQTT 3.1.1, 3.3), made once for all subscribers of a message. */
const WIRE = Symbol('wire');
type Serialised = OutgoingPacket & { [WIRE]?: Buffer };

type Forward = (client: AedesClient, packet: OutgoingPacket) => unknown;

/**
 * Replaces the QoS 0 delivery of aedes, which copies and serialises the message for each subscriber anew. Same checks,
 * same order and same back-pressure; what MQTT 5 adds to a message of a subscriber is left to aedes.
 */
export function shareSerialised(client: AedesClient, forward: Forward): void {
  const original = client.deliver0;
  client.deliver0 = (packet, done) => {
    if (client.version === 5) return original(packet, done);
    if (isRepeated(client, packet) || !forward(client, packet)) return void setImmediate(done);
    // As aedes does: messages of both qualities leave in the order in which they were handed out.
    setImmediate(() => {
      if (!client.conn.writable || client.conn.write(wireOf(packet))) done();
      else client.waitForDrain(done);
    });
  };
}

/** A message that reaches a client by several of its filters goes to it once. */
function isRepeated({ duplicates }: AedesClient, { brokerId, brokerCounter }: OutgoingPacket): boolean {
  if (brokerId === null) return false;
  if ((duplicates[brokerId] ?? 0) >= brokerCounter) return true;
  duplicates[brokerId] = brokerCounter;
  return false;
}

function wireOf(packet: Serialised): Buffer {
  return (packet[WIRE] ??= serialise(packet.topic, packet.payload));
}

function serialise(topic: string, payload: Buffer): Buffer {
  const topicBytes = Buffer.byteLength(topic);
  const length = 2 + topicBytes + payload.length;
  const head = [0x30];
  let left = length;
  do {
    head.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>>= 7;
  } while (left > 0);
  const wire = Buffer.allocUnsafe(head.length + length);
  let at = 0;
  for (const byte of head) at = wire.writeUInt8(byte, at);
  at = wire.writeUInt16BE(topicBytes, at);
  at += wire.write(topic, at);
  payload.copy(wire, at);
  return wire;
}
