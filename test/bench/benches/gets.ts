import type { Lab, Peer, Side } from '../lab.js';
import { Calls } from '../load/calls.js';
import { HttpConnection, type Showing } from '../load/http-connection.js';
import { connectMany, topicBytes } from '../load/mqtt-device.js';
import { atLeast, note, perSecond, ratio, type Result } from '../result.js';
import { bareServer } from './bare-server.js';

const CONNECTIONS = 50;
const THINGS = 50;
const DOCUMENT = '{"state":{"reported":{"count":1,"temperature":21.5,"humidity":41,"door":"closed","online":true}}}';

/** Linearizable reads: over HTTP against a bare Fastify that answers the same bytes from memory, and over MQTT. */
export async function gets(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const umbra = await lab.node('umbra', { etcd });
  const naive = await lab.node('naive', { etcd });
  const echo = await lab.node('echo');
  const bare = await bareServer(lab, 'bare-fastify');
  for (const { httpPort } of [umbra, naive, echo]) await fill(httpPort);
  const found = await lab.alternate({
    http: await overHttp(lab, umbra.httpPort, { node: umbra.process.pid, etcd: etcd[0]?.pid ?? -1 }),
    fastify: await overHttp(lab, bare.port, { node: bare.pid }),
    echo: await overHttp(lab, echo.httpPort, { node: echo.process.pid }),
    naive: await overHttp(lab, naive.httpPort, { node: naive.process.pid, etcd: etcd[0]?.pid ?? -1 }),
    mqtt: await overMqtt(lab, 'umbra', umbra.mqttPort, { node: umbra.process.pid }),
    'mqtt-naive': await overMqtt(lab, 'naive', naive.mqttPort, { node: naive.process.pid }),
  });
  return {
    rows: [
      ratio('HTTP, linearizable GET over bare Fastify', found.http, found.fastify, perSecond, atLeast(0.55)),
      ratio('HTTP, over an echo without a store', found.http, found.echo, perSecond),
      ratio('HTTP, the echo over bare Fastify', found.echo, found.fastify, perSecond),
      ratio('HTTP, over naive', found.http, found.naive, perSecond),
      ratio('MQTT, over naive', found.mqtt, found['mqtt-naive'], perSecond),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}

export async function fill(port: number, shown?: string | Showing): Promise<void> {
  const connection = await HttpConnection.open(port, shown);
  for (let i = 0; i < THINGS; i++) await connection.send('POST', `/things/get-${i}/shadow`, DOCUMENT);
  connection.end();
}

export async function overHttp(
  lab: Lab,
  port: number,
  pids: Record<string, number>,
  shown?: string | Showing,
): Promise<Side> {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => HttpConnection.open(port, shown)));
  const get = (caller: number): Promise<string> =>
    (connections[caller] as HttpConnection).send('GET', `/things/get-${caller % THINGS}/shadow`);
  // A server waits 10 s for the first request of a connection, which is less than the other sides need.
  await Promise.all(connections.map((_, caller) => get(caller)));
  const load = new Calls(CONNECTIONS, get, () => connections.forEach((connection) => connection.end()));
  lab.onEnd(() => load.end());
  return lab.loaded(load, pids);
}

async function overMqtt(lab: Lab, peer: Peer, port: number, pids: Record<string, number>): Promise<Side> {
  const devices = await connectMany([port], CONNECTIONS, `get-${peer}`);
  const answers: ((value: unknown) => void)[] = [];
  const topics = devices.map((_, i) => topicBytes(`$aws/things/get-${i % THINGS}/shadow/get`));
  for (const [i, device] of devices.entries()) {
    await device.subscribe(`$aws/things/get-${i % THINGS}/shadow/get/accepted`);
    device.onMessage = () => answers[i]?.(null);
  }
  const load = new Calls(
    CONNECTIONS,
    (caller, n) =>
      new Promise((resolve) => {
        answers[caller] = resolve;
        devices[caller]?.publish(topics[caller] as Buffer, (n % 65_535) + 1, '');
      }),
    () => devices.forEach((device) => device.end()),
  );
  lab.onEnd(() => load.end());
  return lab.loaded(load, pids);
}
