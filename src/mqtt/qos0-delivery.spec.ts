import mqttPacket from 'mqtt-packet';
import type { AedesClient, OutgoingPacket } from './aedes-parts.js';
import { shareSerialised } from './qos0-delivery.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function message(topic: string, payload: Buffer, brokerCounter = 1): OutgoingPacket {
  return { cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false, brokerId: 'node', brokerCounter };
}

function fake(forward: () => boolean = () => true) {
  const written: Buffer[] = [];
  const parts = {
    version: 4,
    duplicates: {},
    conn: { writable: true, write: (bytes: Buffer) => written.push(bytes) > 0 },
    deliver0: () => {
      throw new Error('left to aedes');
    },
  };
  const client = parts as unknown as AedesClient;
  shareSerialised(client, forward);
  return { client, written, parts };
}

describe('a delivery of QoS 0', () => {
  it.each([0, 1, 100, 128, 16_383, 200_000])('is what mqtt-packet would write, with %p bytes', async (size) => {
    const { client, written } = fake();
    const packet = message('$aws/things/é/shadow/update/accepted', Buffer.alloc(size, 'x'));
    await new Promise<void>((resolve) => client.deliver0(packet, resolve));
    expect(written[0]?.equals(mqttPacket.generate({ ...packet, qos: 0 }))).toBe(true);
  });

  it('is serialised once for all subscribers', async () => {
    const [a, b] = [fake(), fake()];
    const packet = message('t', Buffer.from('p'));
    a.client.deliver0(packet, () => {});
    b.client.deliver0(packet, () => {});
    await turn();
    expect(a.written[0]).toBe(b.written[0]);
  });

  it('happens once although two filters match', async () => {
    const { client, written } = fake();
    const packet = message('t', Buffer.from('p'), 7);
    client.deliver0(packet, () => {});
    client.deliver0(packet, () => {});
    await turn();
    expect(written).toHaveLength(1);
  });

  it('does not happen when the gate says no', async () => {
    const { client, written } = fake(() => false);
    await new Promise<void>((resolve) => client.deliver0(message('t', Buffer.from('p')), resolve));
    expect(written).toEqual([]);
  });

  it('is left to aedes for MQTT 5', () => {
    const { client, parts } = fake();
    parts.version = 5;
    expect(() => client.deliver0(message('t', Buffer.from('p')), () => {})).toThrow('left to aedes');
  });
});
