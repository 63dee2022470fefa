import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { certificate } from '../../src/sdk/auth/index.js';
import { connect as connectDevice } from '../../src/sdk/device/index.js';
import mqttPacket from 'mqtt-packet';
import WebSocket from 'ws';
import { createAuthority, pinOf, type Authority, type KeyPair } from '../harness/certificates.js';
import { startMqttNode, type MqttNode, type TestClient } from '../harness/mqtt-node.js';
import { until } from '../harness/until.js';

const TOPIC = '$aws/things/T/shadow';

/** A `get` there and back, of a thing that no changed packet names. */
async function works(client: TestClient): Promise<void> {
  const topic = '$aws/things/bystander/shadow';
  await client.subscribe(`${topic}/get/+`);
  await client.publish(`${topic}/get`);
  expect((await client.next(`${topic}/get/rejected`)).json.code).toBe(404);
}

describe('WebSockets', () => {
  let node: MqttNode;
  let port: number;
  beforeAll(async () => {
    node = await startMqttNode();
    port = await node.attachHttp();
  });
  afterAll(() => node.stop());

  it.each([4, 5] as const)('carry MQTT version %i at /mqtt', async (protocolVersion) => {
    await works(await node.connect({ protocolVersion }, `ws://127.0.0.1:${port}/mqtt`));
  });

  it('carry a device of the client library', async () => {
    const device = await connectDevice({ url: `ws://127.0.0.1:${port}/mqtt`, thing: 'page' });
    expect(await device.shadow.report({ on: true })).toEqual({ version: 1 });
    await device.close();
  });

  it('tell MQTT 5 clients why they are ended', async () => {
    const url = `ws://127.0.0.1:${port}/mqtt`;
    const first = await node.connect({ protocolVersion: 5, clientId: 'twice' }, url);
    const reason = new Promise((resolve) => first.mqtt.once('disconnect', ({ reasonCode }) => resolve(reasonCode)));
    await node.connect({ protocolVersion: 5, clientId: 'twice' }, url);
    // Session taken over.
    expect(await reason).toBe(0x8e);
  });

  it.each([['mqtt'], ['mqttv3.1'], ['mqttv3.1', 'mqtt']])('answer sub-protocol %s %s', async (...offered: string[]) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt?X-Amz-Signature=abc`, offered.filter(Boolean));
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    expect(socket.protocol).toBe(offered.includes('mqtt') ? 'mqtt' : 'mqttv3.1');
    socket.terminate();
  });

  it.each([
    ['/other', ['mqtt'], 404],
    ['/mqtt/x', ['mqtt'], 404],
    ['/mqtt', ['soap'], 400],
    ['/mqtt', [], 400],
  ])('refuse %s with %j: %i', async (path, protocols, status) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols);
    const answer = await new Promise<number | undefined>((resolve) => {
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode));
      socket.once('error', () => resolve(undefined));
    });
    expect(answer).toBe(status);
  });

  it.each([
    ['http://evil.example', false],
    ['null', false],
    ['http://127.0.0.1:5173', true],
    ['https://localhost', true],
  ])('are opened by a page of %s: %s', async (origin, allowed) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ['mqtt'], { origin });
    const outcome = await new Promise((resolve) => {
      socket.once('open', () => resolve(true));
      socket.once('error', (error) => resolve(error.message));
    });
    expect(outcome).toBe(allowed || 'Unexpected server response: 403');
    socket.terminate();
  });

  it('end a connection whose frame is too long, and no other', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ['mqtt']);
    await new Promise((resolve) => socket.once('open', resolve));
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    socket.send(Buffer.alloc(1024 * 1024));
    expect(await closed).toBe(1009);
    await works(await node.connect({}, `ws://127.0.0.1:${port}/mqtt`));
  });
});

describe('TLS', () => {
  let authority: Authority;
  let device: KeyPair;
  let node: MqttNode;
  beforeAll(async () => {
    authority = await createAuthority();
    device = await authority.client('device-1');
    node = await startMqttNode({ tls: { ...authority.server, ca: authority.ca } });
  });
  afterAll(async () => {
    await node.stop();
    await authority.remove();
  });

  const identity = (pair: KeyPair) => ({ cert: readFileSync(pair.cert), key: readFileSync(pair.key) });
  const trust = () => ({ ca: readFileSync(authority.ca) });

  it('serves a device of the client library, as its page shows it', async () => {
    interface Lamp {
      power: 'on' | 'off';
    }
    const url = node.tlsUrl!.replace('127.0.0.1', 'localhost');
    const lamp = await connectDevice<Lamp>({ url, thing: 'lamp-1', ...identity(device), ...trust() });
    const app = await node.connect();
    await app.publish('$aws/things/lamp-1/shadow/update', { state: { desired: { power: 'on' } } });
    const driven = new Promise((resolve) => {
      lamp.shadow.onDelta(async (delta, { version, signal }) => {
        resolve([delta, version, signal.aborted]);
        return delta;
      });
    });
    expect(await driven).toEqual([{ power: 'on' }, 1, false]);
    await until('the report', async () => (await lamp.shadow.get())?.reported.power === 'on');
    await lamp.shadow.report({ power: 'off' });
    await lamp[Symbol.asyncDispose]();
    expect(lamp.connected).toBe(false);
  });

  it('serves a device that knows its key, and one that knows another one not at all', async () => {
    const url = node.tlsUrl!.replace('127.0.0.1', 'localhost');
    const texts = { ca: readFileSync(authority.ca, 'utf8'), cert: readFileSync(device.cert, 'utf8') };
    const own = { ...texts, key: readFileSync(device.key, 'utf8') };
    const lamp = await connectDevice({
      ...{ url, thing: 'device-1', auth: certificate({ ...own, pins: [pinOf(authority.server.cert)] }) },
    });
    await lamp.close();
    const tls = { pins: [pinOf(device.cert)] };
    const refused = connectDevice({ url, thing: 'device-1', ...own, tls });
    await expect(refused).rejects.toMatchObject({ code: 'unreachable', cause: { code: 'ERR_TLS_PIN_MISMATCH' } });
    await expect(connectDevice({ url: node.url, thing: 'device-1', tls })).rejects.toThrow(
      'tls.pins need an address with TLS',
    );
  });

  it.each([4, 5] as const)('serves clients with a certificate, version %i', async (protocolVersion) => {
    const options = { protocolVersion, ...trust(), ...identity(device), username: '?SDK=JavaScript&Version=2.2.16' };
    await works(await node.connect(options, node.tlsUrl!.replace('127.0.0.1', 'localhost')));
  });

  it('refuses clients without a certificate or with one of another authority', async () => {
    const other = await createAuthority();
    try {
      await expect(node.connect(trust(), node.tlsUrl!)).rejects.toThrow();
      const foreign = identity(await other.client('device-1'));
      await expect(node.connect({ ...trust(), ...foreign }, node.tlsUrl!)).rejects.toThrow();
    } finally {
      await other.remove();
    }
  });

  async function handshake(options: ConnectionOptions): Promise<TLSSocket> {
    const port = Number(new URL(node.tlsUrl!).port);
    const socket = connectTls({ port, host: '127.0.0.1', ...trust(), ...identity(device), ...options });
    return new Promise((resolve, reject) => {
      socket.once('secureConnect', () => resolve(socket));
      socket.once('error', reject);
    });
  }

  it.each([
    [['x-amzn-mqtt-ca'], 'x-amzn-mqtt-ca'],
    [['mqtt'], 'mqtt'],
    [['h2', 'mqtt'], 'mqtt'],
    [undefined, false],
  ])('agrees on ALPN %j', async (ALPNProtocols, agreed) => {
    const socket = await handshake(ALPNProtocols ? { ALPNProtocols } : {});
    expect(socket.alpnProtocol).toBe(agreed);
    socket.destroy();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async (version) => {
    const socket = await handshake({ minVersion: version, maxVersion: version });
    expect(socket.getProtocol()).toBe(version);
    socket.destroy();
  });

  it('refuses TLS 1.1 and unknown ALPN names', async () => {
    await expect(
      handshake({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }),
    ).rejects.toThrow();
    await expect(handshake({ ALPNProtocols: ['h2'] })).rejects.toThrow();
  });
});

describe('TLS without an authority for clients', () => {
  it('asks for no certificate', async () => {
    const authority = await createAuthority();
    const node = await startMqttNode({ tls: { ...authority.server, ca: null } });
    try {
      await works(
        await node.connect({ ca: readFileSync(authority.ca) }, node.tlsUrl!.replace('127.0.0.1', 'localhost')),
      );
    } finally {
      await node.stop();
      await authority.remove();
    }
  });
});

describe('garbage', () => {
  let node: MqttNode;
  beforeAll(async () => {
    node = await startMqttNode({ mqtt: { maxSubscriptions: 1000 } });
  });
  afterAll(() => node.stop());

  const connectPacket = (protocolVersion: 4 | 5): Buffer =>
    mqttPacket.generate({
      cmd: 'connect',
      clientId: 'raw',
      protocolId: 'MQTT',
      protocolVersion,
      clean: true,
      keepalive: 60,
    });

  function open(): { socket: Socket; closed: Promise<void> } {
    const socket = connectTcp(node.port, '127.0.0.1');
    socket.on('error', () => {});
    return { socket, closed: new Promise((resolve) => socket.once('close', () => resolve())) };
  }

  const subscribe = (version: 4 | 5, topic: string): Buffer =>
    mqttPacket.generate(
      { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] },
      { protocolVersion: version },
    );

  it('does not reset a connection that says DISCONNECT before its last bytes are sent', async () => {
    const socket = connectTcp({ port: node.port, host: '127.0.0.1', allowHalfOpen: true });
    const errors: string[] = [];
    socket.on('error', ({ message }) => errors.push(message));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(Buffer.concat([connectPacket(4), Buffer.from([0xe0, 0x00])]));
    socket.resume();
    await new Promise((resolve) => socket.once('end', resolve));
    // Like the last record of TLS, which leaves after the DISCONNECT.
    for (let i = 0; i < 3; i++) await new Promise((resolve) => socket.write('still here', resolve));
    socket.end();
    await closed;
    expect(errors).toEqual([]);
  });

  it.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['zeros', Buffer.alloc(64)],
    ['ones', Buffer.alloc(64, 0xff)],
    [
      'a publish before CONNECT',
      mqttPacket.generate({ cmd: 'publish', topic: 'a', payload: '', qos: 0, dup: false, retain: false }),
    ],
    ['two CONNECTs', Buffer.concat([connectPacket(4), connectPacket(4)])],
    ['a packet of unknown type', Buffer.concat([connectPacket(4), Buffer.from([0x00, 0x00])])],
    ['a malformed length', Buffer.concat([connectPacket(5), Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff])])],
    [
      'an announced length beyond the limit',
      Buffer.concat([connectPacket(4), Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])]),
    ],
    ['a filter with # in the middle', Buffer.concat([connectPacket(5), subscribe(5, 'a/#/b')])],
    ['an empty filter', Buffer.concat([connectPacket(4), subscribe(4, '')])],
    ['an unknown protocol level', Buffer.from([0x10, 0x0d, 0, 4, 0x4d, 0x51, 0x54, 0x54, 9, 2, 0, 60, 0, 1, 0x61])],
    [
      'a topic alias out of range',
      Buffer.concat([
        connectPacket(5),
        mqttPacket.generate(
          { cmd: 'publish', topic: 'a', payload: '', qos: 0, dup: false, retain: false, properties: { topicAlias: 3 } },
          { protocolVersion: 5 },
        ),
      ]),
    ],
  ])('%s ends the connection, and nothing else', async (_name, bytes) => {
    const { socket, closed } = open();
    socket.resume();
    socket.write(bytes);
    await closed;
    await works(await node.connect());
  });

  it('truncated and changed packets never stop the node', async () => {
    const publish = mqttPacket.generate(
      {
        cmd: 'publish',
        messageId: 3,
        topic: `${TOPIC}/update`,
        payload: '{"state":{}}',
        qos: 1,
        dup: false,
        retain: false,
      },
      { protocolVersion: 5 },
    );
    const whole = Buffer.concat([connectPacket(5), subscribe(5, `${TOPIC}/#`), publish]);
    for (let i = 0; i < whole.length; i++) {
      const changed = Buffer.from(whole);
      changed[i] = (changed[i] as number) ^ (1 << (i % 8));
      for (const bytes of [whole.subarray(0, i), changed]) {
        const { socket, closed } = open();
        socket.resume();
        socket.end(bytes);
        await closed;
      }
    }
    await works(await node.connect());
  });

  it('answers a PUBREL for a QoS 2 publish that it never took', async () => {
    const { socket } = open();
    socket.write(connectPacket(4));
    await new Promise((resolve) => socket.once('data', resolve));
    socket.write(Buffer.from([0x62, 2, 0, 7]));
    const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect([...answer]).toEqual([0x70, 2, 0, 7]);
    socket.destroy();
  });

  it.each([4, 5] as const)('no packet of any type stops the node, version %i', async (version) => {
    const bodies = [[], [0], [0, 1], [0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1, 0x61, 0], [0xff, 0xff, 0xff]];
    for (let type = 0; type < 256; type += 1) {
      const packets = bodies.map((body) => Buffer.from([type, body.length, ...body]));
      // Behind CONNECT in one segment, and after the CONNACK.
      for (const early of [true, false]) {
        const { socket, closed } = open();
        const bytes = packets[(type + Number(early)) % packets.length] as Buffer;
        socket.write(early ? Buffer.concat([connectPacket(version), bytes]) : connectPacket(version));
        socket.once('data', () => socket.end(early ? Buffer.alloc(0) : bytes));
        await closed;
      }
    }
    for (const bytes of [0x40, 0x50, 0x62, 0x70, 0x82, 0xa2].flatMap((type) =>
      bodies.map((body) => [type, body.length, ...body]),
    )) {
      const { socket, closed } = open();
      socket.write(connectPacket(version));
      socket.once('data', () => socket.end(Buffer.from(bytes)));
      await closed;
    }
    await works(await node.connect());
  });

  it('refuses more filters in one SUBSCRIBE than there may be', async () => {
    const client = await node.connect();
    const filters = Array.from({ length: 65 }, (_, i) => `$aws/things/T${i}/shadow/#`);
    client.mqtt.subscribe(filters, { qos: 1 });
    await until('the end of the connection', () => client.closed);
  });

  it('refuses more filters of one connection than there may be, in the SUBACK', async () => {
    const client = await node.connect();
    for (let n = 0; n < 20; n++) {
      const filters = Array.from({ length: 50 }, (_, i) => `$aws/things/T${n}-${i}/shadow/#`);
      expect(new Set(await client.subscribe(filters))).toEqual(new Set([1]));
    }
    expect(await client.subscribe(['$aws/things/U/shadow/#', '$aws/things/T0-0/shadow/#'])).toEqual([0x80, 1]);
  });

  it('keeps no filter in a session that was refused in the SUBACK', async () => {
    const client = await node.connect({ clientId: 'many', clean: false });
    const filter = (n: number): string => `$aws/things/M${n}/shadow/#`;
    for (let n = 0; n < 1000; n += 50) await client.subscribe(Array.from({ length: 50 }, (_, i) => filter(n + i)));
    await client.mqtt.unsubscribeAsync(filter(0));
    const granted = await client.subscribe([filter(2000), filter(2001), filter(2002)]);
    expect(granted).toEqual([1, 0x80, 0x80]);
    const kept = node.broker.sessions.session('many')?.granted.map(({ filter: each }) => each);
    expect(kept).toHaveLength(1000);
    expect(kept).toContain(filter(2000));
    expect(kept).not.toContain(filter(2001));
  });

  it('ends connections that do not bring a CONNECT', async () => {
    const silent = open();
    const half = open();
    half.socket.write(connectPacket(4).subarray(0, 8));
    for (const { socket } of [silent, half]) socket.resume();
    // After CONNECT_TIMEOUT_MS.
    await Promise.all([silent.closed, half.closed]);
    await works(await node.connect());
  });
});
