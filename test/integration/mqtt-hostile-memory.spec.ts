import { connect as connectPacket, encode, four, PROPERTY, subscribe, type Shape } from '../conformance/wire.js';
import { footprint } from '../fuzz/watch-node.js';
import { TestClient } from '../harness/mqtt-node.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { RawMqtt } from '../harness/raw-mqtt.js';

/** What clients can make a node keep, measured on a process of its own (Linux: /proc). */

/** Milliseconds; the node may have to be built. */
const START_MS = 600_000;
/** Milliseconds for thousands of connections on a busy machine. */
const TEST_MS = 600_000;
/** Connections at once. */
const AT_ONCE = 30;

let node: ReadyNode;
let port: number;
beforeAll(async () => {
  node = await startNode();
  port = Number(new URL(node.mqttUrl).port);
}, START_MS);
afterAll(() => node.stop());

afterEach(async () => {
  const client = await TestClient.connect(node.mqttUrl, { clientId: 'bystander' });
  await client.publish('$aws/things/bystander/shadow/update', { state: { reported: { is: 'well' } } });
  client.mqtt.end(true);
  expect(node.running).toBe(true);
});

async function many(count: number, one: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

const lasting = { id: PROPERTY.sessionExpiry, bytes: four(3600) };
const onLinux = process.platform === 'linux' ? it : it.skip;

onLinux(
  'holds a bounded number of filters of 450 sessions that want 1,000 each',
  async () => {
    const before = footprint(node.pid).megabytes;
    let granted = 0;
    await many(450, async (i) => {
      const raw = await RawMqtt.connect(port, { clientId: `filters-${i}`, properties: [lasting] });
      for (let packet = 1; packet <= 20 && !raw.closed; packet++) await raw.pour(encode(fifty(i, packet)));
      // It is ended for what it was refused, or has all its answers.
      await raw.answers();
      granted += raw.events
        .flatMap((one) => (one.kind === 'suback' ? one.codes : []))
        .filter((code) => code < 2).length;
      raw.end();
    });
    expect(granted).toBeLessThanOrEqual(450 * 50);
    expect(granted).toBeGreaterThan(0);
    expect(footprint(node.pid).megabytes - before).toBeLessThan(150);
  },
  TEST_MS,
);

function fifty(session: number, packet: number): Shape {
  const filters = Array.from({ length: 50 }, (_, i) => ({
    filter: `$aws/things/thing-${session}-${packet}-${i}-${'x'.repeat(80)}/shadow/update/accepted`,
    options: 1,
  }));
  return subscribe(5, packet, filters);
}

onLinux(
  'holds delayed wills of 64 KB within its budget of 256 MiB',
  async () => {
    const before = footprint(node.pid).megabytes;
    const payload = JSON.stringify({ state: { reported: { blob: 'x'.repeat(65_000) } } });
    const will = {
      topic: '$aws/things/will/shadow/update',
      payload,
      qos: 1,
      properties: [{ id: PROPERTY.willDelay, bytes: four(3600) }],
    };
    await many(6_000, async (i) => {
      const raw = await RawMqtt.open(port);
      raw.send(connectPacket({ version: 5, clientId: `will-${i}`, clean: true, properties: [lasting], will }));
      // Beyond the budget a CONNECT may be refused.
      await raw.next('connack');
      raw.end();
    });
    // 375 MB were sent; what a heap of garbage adds to the budget is bounded.
    expect(footprint(node.pid).megabytes - before).toBeLessThan(450);
  },
  TEST_MS,
);
