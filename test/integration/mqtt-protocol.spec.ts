import { connect, type Socket } from 'node:net';
import mqttPacket, { type IConnackPacket, type IConnectPacket, type Packet } from 'mqtt-packet';
import { startMqttNode, type MqttNode } from '../harness/mqtt-node.js';
import { until } from '../harness/until.js';

/** What the standard asks of a server, and mqtt.js never does: packet by packet over a plain socket. */

const base = (thing: string): string => `$aws/things/${thing}/shadow`;

class Raw {
  readonly packets: Packet[] = [];
  closed = false;

  private constructor(
    readonly socket: Socket,
    private readonly protocolVersion: 4 | 5,
  ) {
    const parser = mqttPacket.parser({ protocolVersion });
    parser.on('packet', (packet) => this.packets.push(packet));
    socket.on('data', (bytes) => void parser.parse(bytes));
    socket.on('close', () => (this.closed = true));
    socket.on('error', () => {});
  }

  /** Sends a CONNECT and waits for what comes of it. */
  static async connect(port: number, packet: Partial<IConnectPacket> = {}): Promise<Raw> {
    const protocolVersion = packet.protocolVersion === 4 ? 4 : 5;
    const raw = new Raw(connect(port, '127.0.0.1'), protocolVersion);
    raw.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      clientId: 'raw',
      clean: true,
      keepalive: 0,
      ...packet,
      protocolVersion,
    });
    await until('an answer to CONNECT', () => raw.packets.length > 0 || raw.closed);
    return raw;
  }

  send(packet: Packet): void {
    this.socket.write(mqttPacket.generate(packet, { protocolVersion: this.protocolVersion }));
  }

  publish(topic: string, payload: string, messageId: number): void {
    this.send({ cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false });
  }

  async subscribe(...filters: string[]): Promise<(number | undefined)[]> {
    this.send({ cmd: 'subscribe', messageId: 9, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) });
    const suback = await this.next('suback');
    return (suback as unknown as { granted: number[] }).granted;
  }

  of(cmd: string): Packet[] {
    return this.packets.filter((packet) => packet.cmd === cmd);
  }

  async next(cmd: string, count = 1): Promise<Packet & { reasonCode?: number }> {
    await until(`${count} ${cmd}`, () => this.of(cmd).length >= count);
    return this.of(cmd)[count - 1] as Packet & { reasonCode?: number };
  }

  get connack(): IConnackPacket {
    return this.packets[0] as IConnackPacket;
  }
}

let node: MqttNode;
const sockets: Raw[] = [];
async function client(packet: Partial<IConnectPacket> = {}): Promise<Raw> {
  const raw = await Raw.connect(node.port, packet);
  sockets.push(raw);
  return raw;
}

beforeAll(async () => {
  node = await startMqttNode({ mqtt: { sessionSeconds: 100 } });
});
afterEach(() => {
  for (const { socket } of sockets.splice(0)) socket.destroy();
});
afterAll(() => node.stop());

describe('CONNECT', () => {
  it('is answered with what the node has and has not', async () => {
    const { connack } = await client({ properties: { sessionExpiryInterval: 0xffff_ffff } });
    expect(connack).toMatchObject({ reasonCode: 0, sessionPresent: false });
    expect(connack.properties).toMatchObject({
      maximumQoS: 1,
      retainAvailable: false,
      sharedSubscriptionAvailable: false,
      receiveMaximum: 100,
      maximumPacketSize: 256 * 1024,
      sessionExpiryInterval: 100,
    });
  });

  it('without a name gets one, each its own', async () => {
    const names = [await client({ clientId: '' }), await client({ clientId: '' })].map(
      ({ connack }) => connack.properties?.assignedClientIdentifier,
    );
    expect(new Set(names).size).toBe(2);
    expect(names.every((name) => typeof name === 'string' && name.length > 20)).toBe(true);
    expect((await client({ protocolVersion: 4, clientId: '' })).connack.returnCode).toBe(0);
  });

  it('without a name for a session that stays is refused in MQTT 3.1.1', async () => {
    const raw = new Array<number>();
    const socket = connect(node.port, '127.0.0.1');
    socket.on('data', (bytes) => raw.push(...bytes));
    // mqtt-packet does not generate it: flags 0, and an empty client identifier.
    socket.write(Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 0]));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(raw).toEqual([0x20, 2, 0, 2]);
  });

  it.each<[string, Partial<IConnectPacket>, number]>([
    ['an authentication method', { properties: { authenticationMethod: 'x' } }, 0x8c],
    ['a retained will', { will: { topic: 'a', payload: Buffer.from('x'), qos: 0, retain: true } }, 0x9a],
    ['a will with QoS 2', { will: { topic: 'a', payload: Buffer.from('x'), qos: 2, retain: false } }, 0x9b],
  ])('with %s is refused by the code for it', async (_what, packet, code) => {
    const raw = await client(packet);
    expect(raw.connack.reasonCode).toBe(code);
    await until('the end of the connection', () => raw.closed);
  });
});

describe('sessions', () => {
  it('are told to be there, or not', async () => {
    const options = { clientId: 'present', clean: false, properties: { sessionExpiryInterval: 50 } };
    const first = await client(options);
    expect(first.connack.sessionPresent).toBe(false);
    expect(first.connack.properties?.sessionExpiryInterval).toBeUndefined();
    expect((await client(options)).connack.sessionPresent).toBe(true);
    expect((await client({ ...options, clean: true })).connack.sessionPresent).toBe(false);
  });

  it('have one connection: the former is told that it was taken over', async () => {
    const first = await client({ clientId: 'taken' });
    await client({ clientId: 'taken' });
    expect((await first.next('disconnect')).reasonCode).toBe(0x8e);
    await until('its end', () => first.closed);
    expect(node.broker.clients().filter(({ clientId }) => clientId === 'taken')).toHaveLength(1);
  });

  it('get no expiry in DISCONNECT when CONNECT gave none', async () => {
    const raw = await client({ clientId: 'late-wish' });
    raw.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 10 } });
    expect((await raw.next('disconnect')).reasonCode).toBe(0x82);
  });
});

describe('messages', () => {
  it('of QoS 1 wait while the Receive Maximum of the client is in flight', async () => {
    const raw = await client({ clientId: 'two-at-once', properties: { receiveMaximum: 2 } });
    await raw.subscribe(`${base('window')}/update/accepted`);
    const writer = await node.connect();
    for (let n = 1; n <= 5; n++) await writer.publish(`${base('window')}/update`, { state: { reported: { n } } });
    raw.send({ cmd: 'pingreq' });
    await raw.next('pingresp');
    expect(raw.of('publish')).toHaveLength(2);
    for (let n = 0; n < 5; n++) {
      const { messageId } = (await raw.next('publish', n + 1)) as { messageId?: number };
      expect(raw.of('publish').length).toBeLessThanOrEqual(n + 2);
      raw.send({ cmd: 'puback', messageId: messageId as number });
    }
    const versions = raw
      .of('publish')
      .map((each) => JSON.parse(String((each as { payload: Buffer }).payload)) as { version: number });
    expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
  });

  it('larger than the client accepts are left out', async () => {
    const raw = await client({ clientId: 'small', properties: { maximumPacketSize: 400 } });
    await raw.subscribe(`${base('size')}/update/accepted`);
    const writer = await node.connect();
    await writer.publish(`${base('size')}/update`, { state: { reported: { blob: 'x'.repeat(500) } } });
    await writer.publish(`${base('size')}/update`, { state: { reported: { blob: 'x' } } });
    await raw.next('publish');
    raw.send({ cmd: 'pingreq' });
    await raw.next('pingresp');
    expect(raw.of('publish')).toHaveLength(1);
    expect(String((raw.of('publish')[0] as { payload: Buffer }).payload)).toContain('"version":2');
  });

  it('carry the identifiers of all subscriptions that match', async () => {
    const raw = await client({ clientId: 'identified' });
    for (const [i, topic] of [`${base('ids')}/get/+`, `${base('ids')}/#`].entries()) {
      const properties = { subscriptionIdentifier: i + 7 };
      raw.send({ cmd: 'subscribe', messageId: i + 1, subscriptions: [{ topic, qos: 1 }], properties });
      await raw.next('suback', i + 1);
    }
    raw.publish(`${base('ids')}/get`, '', 3);
    const find = () => raw.of('publish').find((each) => (each as { topic: string }).topic.endsWith('get/rejected'));
    await until('the answer', find);
    const { properties } = find() as { properties?: { subscriptionIdentifier?: number[] } };
    expect([...(properties?.subscriptionIdentifier ?? [])].sort()).toEqual([7, 8]);
  });
});

describe('what ends a connection, by its reason', () => {
  it.each<[string, Packet, number]>([
    [
      'a Topic Alias',
      { cmd: 'publish', topic: 'a', payload: '', qos: 0, dup: false, retain: false, properties: { topicAlias: 1 } },
      0x94,
    ],
    ['AUTH', { cmd: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'x' } } as Packet, 0x82],
    [
      'QoS 2',
      { cmd: 'publish', topic: `${base('q')}/get`, payload: '', qos: 2, messageId: 1, dup: false, retain: false },
      0x9b,
    ],
    [
      'a packet that is too large',
      { cmd: 'publish', topic: `${base('q')}/get`, payload: 'x'.repeat(300_000), qos: 0, dup: false, retain: false },
      0x95,
    ],
  ])('%s', async (_what, packet, reason) => {
    const raw = await client({ clientId: 'wrong' });
    raw.send(packet);
    expect((await raw.next('disconnect')).reasonCode).toBe(reason);
    await until('its end', () => raw.closed);
  });

  it('refusals without end', async () => {
    const raw = await client({ clientId: 'stubborn' });
    for (let n = 1; n <= 200; n++) raw.publish('sensors/1', '', n);
    expect((await raw.next('disconnect')).reasonCode).toBe(0x96);
    // Those before it were refused one by one.
    expect((await raw.next('puback')).reasonCode).toBe(0x87);
  });

  it('silence of one and a half times its keep-alive', async () => {
    const raw = await client({ clientId: 'silent', keepalive: 1 });
    expect((await raw.next('disconnect')).reasonCode).toBe(0x8d);
  });
});

describe('wills', () => {
  const will = (thing: string) => ({
    topic: `${base(thing)}/update`,
    payload: Buffer.from('{"state":{"reported":{"connected":false}}}'),
    qos: 1 as const,
    retain: false,
  });
  const version = async (thing: string): Promise<number> =>
    (await node.store.get({ tenant: 'default', thing, name: null }, { deadline: Infinity }))?.state.version ?? 0;

  it('are dropped by a goodbye, unless it asks for them', async () => {
    const polite = await client({ clientId: 'polite', will: will('polite') });
    polite.send({ cmd: 'disconnect', reasonCode: 0 });
    const insisting = await client({ clientId: 'insisting', will: will('insisting') });
    insisting.send({ cmd: 'disconnect', reasonCode: 4 });
    await until('the will', async () => (await version('insisting')) === 1);
    expect(await version('polite')).toBe(0);
  });

  it('wait for their delay, and are dropped when the client is back in its session', async () => {
    const delayed = { ...will('delayed'), properties: { willDelayInterval: 30 } };
    const options = { clientId: 'delayed', clean: false, properties: { sessionExpiryInterval: 60 } };
    (await client({ ...options, will: delayed })).socket.destroy();
    await until('its end', () => !node.broker.clients().some(({ clientId }) => clientId === 'delayed'));
    node.clock.advance(29_000);
    node.broker.wills.fireDue();
    (await client({ ...options, will: delayed })).socket.destroy();
    await until('its end', () => !node.broker.clients().some(({ clientId }) => clientId === 'delayed'));
    node.clock.advance(29_000);
    node.broker.wills.fireDue();
    expect(await version('delayed')).toBe(0);
    node.clock.advance(1_000);
    node.broker.wills.fireDue();
    await until('the will', async () => (await version('delayed')) === 1);
  });

  it('are due when the session ends before their delay', async () => {
    const delayed = { ...will('ended'), properties: { willDelayInterval: 3000 } };
    const options = { clientId: 'ended', clean: false, properties: { sessionExpiryInterval: 20 } };
    (await client({ ...options, will: delayed })).socket.destroy();
    await until('its end', () => !node.broker.clients().some(({ clientId }) => clientId === 'ended'));
    node.clock.advance(20_000);
    node.broker.sessions.expire();
    await until('the will', async () => (await version('ended')) === 1);
    expect(node.broker.budget.used).toBeGreaterThanOrEqual(0);
  });
});
