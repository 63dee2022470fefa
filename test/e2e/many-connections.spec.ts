import { get } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { TestClient } from '../harness/mqtt-node.js';
import { logLines, startNode, type ReadyNode } from '../harness/node-process.js';
import { until } from '../harness/until.js';

/** The usual limit of a shell. A node needs more than 256 while it loads its modules. */
const DESCRIPTORS = 1024;
const MAX = 768;
/** Milliseconds of a test: the first start may wait for the build. */
const TIMEOUT_MS = 180_000;
/** Connections that a test opens at once. */
const BATCH = 64;
const REFUSED = 200;
const TOPIC = '$aws/things/bystander/shadow/get';

/** How one connection was answered: the code of its CONNACK, or `closed` without one. */
type Outcome = number | 'closed';

/** Opens a raw connection that sends CONNECT; resolves with the answer, and stays open when it was accepted. */
function attempt(url: string, clientId: string, protocolVersion: 4 | 5, sockets: Socket[]): Promise<Outcome> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connectTcp(Number(port), hostname);
    sockets.push(socket);
    const parser = mqttPacket.parser({ protocolVersion });
    parser.on('packet', (packet) => {
      if (packet.cmd === 'connack') resolve((protocolVersion === 5 ? packet.reasonCode : packet.returnCode) ?? -1);
    });
    socket.on('data', (bytes) => parser.parse(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve('closed'));
    socket.write(mqttPacket.generate({ cmd: 'connect', clientId, protocolVersion, clean: true, keepalive: 0 }));
  });
}

/** A request over a connection of its own, as a load balancer asks. */
function isLive(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(`${url}/health/live`, { agent: false, timeout: 5_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

async function answers(bystander: TestClient): Promise<void> {
  const before = bystander.received.length;
  await bystander.publish(TOPIC);
  await bystander.next(`${TOPIC}/rejected`, before + 1);
}

const lines = (node: ReadyNode, message: string) => logLines(node.logs()).filter(({ msg }) => msg === message);

describe('a node with few file descriptors', () => {
  const sockets: Socket[] = [];
  let node: ReadyNode | undefined;
  let bystander: TestClient | undefined;
  afterEach(async () => {
    bystander?.mqtt.end(true);
    for (const socket of sockets.splice(0)) socket.destroy();
    await node?.stop();
  });

  it(
    'refuses connections above its limit, and serves HTTP and the connections that it has',
    async () => {
      node = await startNode({ descriptors: DESCRIPTORS });
      const { mqttUrl, httpUrl } = node;
      expect(lines(node, 'the limit of file descriptors is small; raise it (LimitNOFILE, ulimit -n)')).toMatchObject([
        { limit: DESCRIPTORS, maxConnections: MAX },
      ]);
      bystander = await TestClient.connect(mqttUrl, { clientId: 'bystander' });
      await bystander.subscribe(`${TOPIC}/rejected`);
      const accepted = new Set<Outcome>();
      for (let opened = 1; opened < MAX;) {
        const ids = Array.from({ length: Math.min(BATCH, MAX - opened) }, () => `c${opened++}`);
        for (const outcome of await Promise.all(ids.map((id) => attempt(mqttUrl, id, 4, sockets))))
          accepted.add(outcome);
      }
      expect(accepted).toEqual(new Set([0]));
      expect(await attempt(mqttUrl, 'one-more', 4, sockets)).toBe(3);
      expect(await attempt(mqttUrl, 'one-more', 5, sockets)).toBe(0x88);
      // All at once, and none of them is closed by its client before it is answered.
      const refused = Promise.all(Array.from({ length: REFUSED }, (_, i) => attempt(mqttUrl, `r${i}`, 4, sockets)));
      const live = await Promise.all(Array.from({ length: 20 }, () => isLive(httpUrl)));
      await answers(bystander);
      const counts = new Map<Outcome, number>();
      for (const outcome of await refused) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      expect((counts.get(3) ?? 0) + (counts.get('closed') ?? 0)).toBe(REFUSED);
      expect(live.filter(Boolean)).toHaveLength(20);
      expect(await isLive(httpUrl)).toBe(true);
      expect(bystander.closed).toBe(false);
      const full = node;
      await until('its line', () => lines(full, 'MQTT connections refused').length > 0);
      expect(lines(node, 'MQTT connections refused')[0]).toMatchObject({ level: 40, refused: 1, maxConnections: MAX });
      expect(lines(node, 'MQTT connections refused').length).toBeLessThan(REFUSED / 4);
      // Room again.
      for (const socket of sockets.splice(0)) socket.destroy();
      await until('a connection is accepted', async () => (await attempt(mqttUrl, 'again', 4, sockets)) === 0);
    },
    TIMEOUT_MS,
  );

  it(
    'says so when descriptors have run out all the same',
    async () => {
      node = await startNode({ descriptors: DESCRIPTORS, env: { UMBRA_MQTT_MAX_CONNECTIONS: '1000' } });
      const { mqttUrl } = node;
      const message = 'more MQTT connections are allowed than file descriptors leave room for';
      expect(lines(node, message)).toMatchObject([{ limit: DESCRIPTORS, maxConnections: 1000 }]);
      for (let i = 0; i < DESCRIPTORS + 100; i++) void attempt(mqttUrl, `c${i}`, 4, sockets);
      const running = node;
      await until(
        'the lack is logged',
        () => {
          const isSaid = lines(running, 'no file descriptor is left; new connections are closed at once').length > 0;
          // A descriptor that the node itself has given back since is taken again.
          if (!isSaid) void attempt(mqttUrl, `c${sockets.length}`, 4, sockets);
          return isSaid;
        },
        60_000,
      );
    },
    TIMEOUT_MS,
  );
});
