import { startMqttNode, type MqttNode } from '../harness/mqtt-node.js';
import { mosquittoPub, MosquittoSub } from '../harness/mosquitto-clients.js';
import { until } from '../harness/until.js';

let node: MqttNode;
let things = 0;
const newThing = (): string => `thing-${++things}`;
const base = (thing: string, name?: string): string =>
  `$aws/things/${thing}/shadow${name === undefined ? '' : `/name/${name}`}`;
const tails = (topics: string[]): string[] => topics.map((topic) => topic.split('/shadow/')[1] as string);

beforeAll(async () => {
  node = await startMqttNode();
});
afterAll(() => node.stop());

describe.each([4, 5] as const)('MQTT version %i', (protocolVersion) => {
  it('answers an update with delta, documents, accepted, in that order, QoS 1, not retained', async () => {
    const client = await node.connect({ protocolVersion });
    const topic = base(newThing());
    await client.subscribe(`${topic}/update/+`);
    await client.publish(`${topic}/update`, { state: { desired: { a: 1 } }, clientToken: 't' });
    await client.next(`${topic}/update/accepted`);
    expect(tails(client.topics())).toEqual(['update/delta', 'update/documents', 'update/accepted']);
    expect(client.received.every(({ qos, retain, dup }) => qos === 1 && !retain && !dup)).toBe(true);
    expect(client.received.map(({ json }) => json.clientToken)).toEqual(['t', 't', 't']);
  });

  it('lowers the QoS to that of the subscription, and takes QoS 0 requests', async () => {
    const client = await node.connect({ protocolVersion });
    const topic = base(newThing(), 'named');
    expect(await client.subscribe([`${topic}/update/accepted`], 0)).toEqual([0]);
    await client.publish(`${topic}/update`, { state: { reported: { a: 1 } } }, 0);
    expect((await client.next(`${topic}/update/accepted`)).qos).toBe(0);
  });

  it('grants QoS 1 for QoS 2', async () => {
    const client = await node.connect({ protocolVersion });
    expect(await client.subscribe([`${base(newThing())}/#`], 2)).toEqual([1]);
  });

  it('ends a connection that publishes with QoS 2', async () => {
    const client = await node.connect({ protocolVersion });
    client.mqtt.publish(`${base(newThing())}/get`, '', { qos: 2 });
    await until('the end of the connection', () => client.closed);
  });

  it('refuses each filter on its own', async () => {
    const client = await node.connect({ protocolVersion });
    const topic = base(newThing());
    const refused = protocolVersion === 5 ? 0x87 : 0x80;
    const share = protocolVersion === 5 ? 0x9e : 0x80;
    const filters = ['#', `${topic}/get/+`, '+/things/#', '$SYS/#', `${topic}/#`, 'plain', `$share/g/${topic}/#`];
    expect(await client.subscribe([...filters, '__proto__', 'constructor'])).toEqual([
      ...[refused, 1, refused, refused, 1, refused, share],
      ...[refused, refused],
    ]);
    await client.publish(`${topic}/get`);
    expect((await client.next(`${topic}/get/rejected`)).json.code).toBe(404);
  });

  it.each(['update/accepted', 'update/delta', 'name/S', 'name/update', 'GET', 'get/'])(
    'refuses what is no request, and does not pass it on: %s',
    async (tail) => {
      const listener = await node.connect();
      const thing = newThing();
      await listener.subscribe(`$aws/things/${thing}/#`);
      await expectRefused(`${base(thing)}/${tail}`);
      const client = await node.connect({ protocolVersion });
      await client.publish(`${base(thing)}/get`);
      await listener.next(`${base(thing)}/get/rejected`);
      // The request itself is passed on, as by any broker; nothing else was.
      expect(tails(listener.topics()).sort()).toEqual(['get', 'get/rejected']);
    },
  );

  it('refuses topics that are not its own', () => expectRefused('plain/topic'));

  async function expectRefused(topic: string): Promise<void> {
    const client = await node.connect({ protocolVersion });
    if (protocolVersion === 5) {
      await expect(client.publish(topic, { state: {} })).rejects.toThrow('Not authorized');
      expect(client.closed).toBe(false);
    } else {
      client.mqtt.publish(topic, '{"state":{}}', { qos: 1 });
      await until('the end of the connection', () => client.closed);
    }
  }

  it('answers invalid names with 400 and the token, acknowledged', async () => {
    const client = await node.connect({ protocolVersion });
    for (const topic of [base('T x'), base('x'.repeat(129)), base('T', 'x'.repeat(65))]) {
      expect(await client.subscribe([`${topic}/update/rejected`])).toEqual([1]);
      await client.publish(`${topic}/update`, { state: {}, clientToken: 'mine' });
      expect((await client.next(`${topic}/update/rejected`)).json).toMatchObject({ code: 400, clientToken: 'mine' });
    }
  });

  it('ignores the retain flag', async () => {
    const client = await node.connect({ protocolVersion });
    const topic = base(newThing());
    await client.mqtt.publishAsync(`${topic}/update`, '{"state":{"reported":{"a":1}}}', { qos: 1, retain: true });
    await client.subscribe(`${topic}/#`);
    await client.publish(`${topic}/get`);
    await client.next(`${topic}/get/accepted`);
    expect(tails(client.topics()).filter((tail) => tail === 'update')).toEqual([]);
  });

  it('answers 40 KB and 200 KB with 413, and ends the connection above the limit', async () => {
    const client = await node.connect({ protocolVersion });
    const topic = base(newThing());
    await client.subscribe(`${topic}/update/rejected`);
    for (const [i, size] of [40_000, 200_000].entries()) {
      await client.publish(`${topic}/update`, { state: { desired: { big: 'x'.repeat(size) } } });
      expect((await client.next(`${topic}/update/rejected`, i + 1)).json.code).toBe(413);
    }
    client.mqtt.publish(`${topic}/update`, 'x'.repeat(300_000), { qos: 1 });
    await until('the end of the connection', () => client.closed);
  });
});

describe('clients', () => {
  it.each(['acc?SDK=JavaScript&Version=2.2.16', '?SDK=IoTDeviceSDK/JS&Platform=Unix', 'plain', ''])(
    'user name %j',
    async (username) => {
      const client = await node.connect({ username });
      expect(client.closed).toBe(false);
    },
  );

  it.each(['__proto__', 'constructor', 'hasOwnProperty', 'a/b +#'])('client id %j', async (clientId) => {
    for (let i = 0; i < 2; i++) {
      const client = await node.connect({ clientId });
      const topic = base(newThing());
      await client.subscribe([`${topic}/get/+`]);
      await client.publish(`${topic}/get`);
      await client.next(`${topic}/get/rejected`);
      await client.mqtt.unsubscribeAsync('__proto__');
    }
  });

  it('refuses a client id of more than 128 bytes with the code for it', async () => {
    await expect(node.connect({ clientId: 'x'.repeat(129) })).rejects.toMatchObject({ code: 2 });
    await expect(node.connect({ clientId: 'x'.repeat(129), protocolVersion: 5 })).rejects.toMatchObject({ code: 0x85 });
  });

  it('closes the old connection when its client id comes again', async () => {
    const before = await node.connect({ clientId: 'twice' });
    const after = await node.connect({ clientId: 'twice' });
    await until('the end of the old one', () => before.closed);
    expect(after.closed).toBe(false);
  });

  it('sends a client one copy although two of its filters match', async () => {
    const client = await node.connect();
    const topic = base(newThing());
    await client.subscribe([`${topic}/update/accepted`, `${topic}/update/+`, `${topic}/get/+`]);
    await client.publish(`${topic}/update`, { state: { reported: { a: 1 } } });
    await client.publish(`${topic}/get`);
    await client.next(`${topic}/get/accepted`);
    expect(tails(client.topics()).filter((tail) => tail === 'update/accepted')).toHaveLength(1);
  });

  it('takes a will on a request topic for a request', async () => {
    const [watcher, topic] = [await node.connect(), base(newThing())];
    await watcher.subscribe(`${topic}/update/accepted`);
    const payload = Buffer.from('{"state":{"reported":{"connected":false}}}');
    const dying = await node.connect({ will: { topic: `${topic}/update`, payload, qos: 1, retain: false } });
    dying.mqtt.stream.destroy();
    expect((await watcher.next(`${topic}/update/accepted`)).json.state).toEqual({ reported: { connected: false } });
  });

  it('drops a will elsewhere, and nothing breaks', async () => {
    const will = { topic: 'plain/last-will', payload: Buffer.from('x'), qos: 1 as const, retain: true };
    const dying = await node.connect({ will });
    dying.mqtt.stream.destroy();
    const client = await node.connect();
    const topic = base(newThing());
    await client.subscribe(`${topic}/get/+`);
    await client.publish(`${topic}/get`);
    await client.next(`${topic}/get/rejected`);
  });
});

describe('mosquitto clients', () => {
  it.each(['3.1.1', '5'] as const)('version %s', async (version) => {
    const options = { url: node.url, version, qos: 1 } as const;
    const topic = base(newThing());
    const sub = await MosquittoSub.start(options, `${topic}/#`);
    try {
      const find = (tail: string) => sub.messages.find((message) => message.topic === `${topic}/${tail}`);
      await mosquittoPub(options, `${topic}/update`, { message: '{"state":{"desired":{"a":1}}}' });
      await until('accepted', () => find('update/accepted') !== undefined);
      await mosquittoPub({ ...options, qos: 0 }, `${topic}/get`);
      await until('get', () => find('get/accepted') !== undefined);
      await mosquittoPub(options, `${topic}/update`, { message: 'no json' });
      await until('rejected', () => find('update/rejected') !== undefined);
      expect(find('update/rejected')?.json.code).toBe(400);
      await mosquittoPub(options, `${topic}/delete`);
      await until('delete', () => find('delete/accepted') !== undefined);
      expect(find('delete/accepted')?.json.version).toBe(1);
    } finally {
      await sub.stop();
    }
  });
});
