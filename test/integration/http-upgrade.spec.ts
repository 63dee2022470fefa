import { once } from 'node:events';
import { connect } from 'node:net';
import { startNode, type UmbraNode } from '../../src/app.js';
import type { Config } from '../../src/config/config.js';
import { loadConfig } from '../../src/config/load-config.js';
import type { ShadowStore } from '../../src/store/shadow-store.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { MessageReader } from '../harness/message-reader.js';
import { TestClient } from '../harness/mqtt-node.js';
import { freePort } from '../harness/ports.js';
import { until } from '../harness/until.js';
import { wrappedStore } from '../harness/wrapped-store.js';

/** A whole node in memory: both doors share the HTTP port. */
async function start(
  wrap: (store: ShadowStore) => ShadowStore = (store) => store,
  http: Partial<Config['http']> = {},
): Promise<UmbraNode> {
  const base = loadConfig({});
  const store = new MemoryShadowStore();
  return startNode({
    config: {
      ...base,
      http: { ...base.http, port: await freePort(), ...http },
      mqtt: { ...base.mqtt, port: await freePort() },
      drainTimeoutMs: 5_000,
    },
    logger: SILENT_LOGGER,
    storage: {
      store: wrappedStore(store, wrap),
      feed: new MemoryShadowFeed(store),
      health: () => ({ ok: true, reason: 'in memory' }),
      close: () => store.close(),
    },
  });
}

/** Sends requests on one connection, each after the answer before; resolves with all answers when the peer closed. */
async function exchange(url: string, ...requests: string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answers = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answers += chunk;
    const next = requests.shift();
    if (next !== undefined) socket.write(next);
  });
  socket.write(requests.shift() ?? '');
  await once(socket, 'close');
  return answers;
}

const GET = 'GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n';

describe('upgrades', () => {
  let node: UmbraNode;
  beforeAll(async () => (node = await start()));
  afterAll(() => node.drain());

  const upgrade = (protocol: string, connection: string) =>
    `Host: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings${connection}\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABk\r\n`;

  it('to other protocols are ignored, as Java asks for h2c with every first request', async () => {
    const body = '{"state":{"reported":{"a":1}}}';
    const post = `POST /things/h2c/shadow HTTP/1.1\r\n${upgrade('h2c', '')}Content-Length: ${body.length}\r\n\r\n${body}`;
    const get = `GET /things/h2c/shadow HTTP/1.1\r\n${upgrade('h2c', ', close')}\r\n`;
    const answers = await exchange(node.addresses.http, post, get);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    expect(answers).toContain('"version":1');
  });

  it('to other protocols hide no condition among headers that Node drops', async () => {
    const body = '{"state":{"reported":{"a":1}}}';
    const patch = (fillers: number) =>
      `PATCH /v1/things/hidden/shadow HTTP/1.1\r\n${upgrade('h2c', ', close')}Content-Length: ${body.length}\r\n` +
      `${'X: y\r\n'.repeat(fillers)}If-Match: "7"\r\n\r\n${body}`;
    // Six beside the fillers. Two are left out when the request is served without its upgrade.
    expect(await exchange(node.addresses.http, patch(94))).toMatch(/^HTTP\/1\.1 412 /);
    for (const fillers of [95, 96, 97, 500]) {
      expect(await exchange(node.addresses.http, patch(fillers))).toMatch(/^HTTP\/1\.1 400 [^]*100 headers at most/);
    }
    expect((await fetch(`${node.addresses.http}/things/hidden/shadow`)).status).toBe(404);
  });

  it.each([
    ['a Host of a stranger', 'Host: evil.example\r\n', /^HTTP\/1\.1 400 [^]*add the name to UMBRA_HTTP_NAMES/],
    ['two Hosts', 'Host: 127.0.0.1\r\nHost: evil.example\r\n', /^HTTP\/1\.1 400 [^]*one Host only/],
    ['no Host', '', /^HTTP\/1\.1 400 [^]*needs HTTP\/1\.1 and a Host/],
    ['101 headers', `Host: 127.0.0.1\r\n${'X: y\r\n'.repeat(101)}`, /^HTTP\/1\.1 400 [^]*100 headers at most/],
  ])('to WebSocket with %s are refused: a page of another site could be behind it', async (_what, headers, answer) => {
    const asked = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n';
    const rest = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    expect(await exchange(node.addresses.http, `GET /mqtt HTTP/1.1\r\n${headers}${asked}${rest}`)).toMatch(answer);
  });

  it('to WebSocket are refused elsewhere than at /mqtt and at streams, and the connection ends', async () => {
    const asked = `GET /v1/things HTTP/1.1\r\n${upgrade('websocket', '')}\r\n`;
    expect(await exchange(node.addresses.http, asked)).toMatch(/^HTTP\/1\.1 404 /);
  });
});

describe('a shutdown', () => {
  it('finishes what is in flight over WebSocket, and tells its client', async () => {
    let release = (): void => undefined;
    let inside = 0;
    const released = new Promise<void>((resolve) => (release = resolve));
    const node = await start((store) =>
      Object.assign(Object.create(store) as typeof store, {
        update: async (...args: Parameters<ShadowStore['update']>) => {
          inside++;
          await released;
          return store.update(...args);
        },
      }),
    );
    const client = await TestClient.connect(`${node.addresses.http.replace('http', 'ws')}/mqtt`, {
      protocolVersion: 5,
    });
    let reason: number | undefined;
    client.mqtt.on('disconnect', (packet) => (reason = packet.reasonCode));
    const topic = '$aws/things/ws/shadow/update';
    await client.subscribe(`${topic}/accepted`);
    const acknowledged = client.publish(topic, { state: { reported: { a: 1 } } });
    await until('the update in flight', () => inside === 1);
    const drained = node.drain();
    await until('the end of HTTP', async () => (await fetch(node.addresses.http).catch(() => null)) === null);
    release();
    await acknowledged;
    await drained;
    await client.next(`${topic}/accepted`);
    expect(reason).toBe(0x8b);
  });
});

it('an HTTP listener that fails to accept does not end the process', async () => {
  const node = await start();
  try {
    const server = node.app.getHttpServer() as NodeJS.EventEmitter;
    expect(server.emit('error', Object.assign(new Error('accept ENFILE'), { code: 'ENFILE' }))).toBe(true);
    expect((await fetch(`${node.addresses.http}/health/live`)).status).toBe(200);
  } finally {
    await node.drain();
  }
});

it('WebSockets of MQTT take no place of HTTP, and HTTP none of theirs; those of streams are HTTP', async () => {
  const node = await start(undefined, { maxConnections: 3 });
  const devices: TestClient[] = [];
  try {
    const { http } = node.addresses;
    const url = `${http.replace('http', 'ws')}/mqtt`;
    for (let i = 0; i < 10; i++) devices.push(await TestClient.connect(url, { clientId: `device-${i}` }));
    for (let i = 0; i < 10; i++) expect((await exchange(http, GET)).startsWith('HTTP/1.1 200')).toBe(true);
    const idle = Array.from({ length: 6 }, () => connect(Number(new URL(http).port), '127.0.0.1'));
    await Promise.all(idle.slice(0, 3).map((socket) => once(socket.resume(), 'close')));
    expect(devices.some(({ closed }) => closed)).toBe(false);
    devices.push(await TestClient.connect(url, { clientId: 'one-more' }));
    const streams: MessageReader[] = [];
    for (let i = 0; i < 3; i++) streams.push(await MessageReader.open(`${http}/v1/watch`));
    await Promise.all(idle.map((socket) => socket.destroyed || once(socket, 'close')));
    await expect(MessageReader.open(`${http}/v1/watch`)).rejects.toThrow();
    expect(devices.some(({ closed }) => closed)).toBe(false);
    for (const stream of streams) stream.close();
  } finally {
    for (const { mqtt } of devices) mqtt.end(true);
    await node.drain();
  }
});
