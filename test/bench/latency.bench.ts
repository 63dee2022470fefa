import { Agent, request } from 'node:http';
import mqtt, { type MqttClient } from 'mqtt';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { openLoop } from './open-loop.js';
import { processUsage } from './process-usage.js';
import { median, spread, table } from './report.js';

/**
 * Latency of an update when the node is far from its limits: 500/s over MQTT (QoS 1, until PUBACK), over MQTT until
 * `accepted` comes back through the watch, over REST, and against it one bare compare-and-swap per update on the same
 * etcd. Alternated A, B, C, D, A, …; ratios of medians. Also what an idle node uses.
 */
const RATE = 500;
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const DEVICES = 50;

const payload = (index: number): string =>
  JSON.stringify({
    state: { reported: { index, temperature: 21.5, door: 'closed', online: true } },
    clientToken: `b-${index}`,
  });

interface Stand {
  readonly etcd: EtcdServer;
  readonly node: ReadyNode;
  readonly devices: readonly MqttClient[];
}

async function setUp(): Promise<Stand> {
  const etcd = await startEtcd();
  const node = await startNode({
    env: { UMBRA_ETCD_ENDPOINTS: etcd.endpoint },
  }).catch(async (error: unknown) => {
    await etcd.stop();
    throw error;
  });
  const devices = await Promise.all(Array.from({ length: DEVICES }, () => mqtt.connectAsync(node.mqttUrl)));
  return { etcd, node, devices };
}

const updateTopic = (device: number): string => `$aws/things/bench-${device}/shadow/update`;

function byPuback({ devices }: Stand): (index: number) => Promise<void> {
  return async (index) => {
    const device = index % DEVICES;
    await devices[device]?.publishAsync(updateTopic(device), payload(index), { qos: 1 });
  };
}

async function byAccepted({ devices }: Stand): Promise<(index: number) => Promise<void>> {
  const waiting = new Map<string, () => void>();
  for (const [device, client] of devices.entries()) {
    await client.subscribeAsync(`${updateTopic(device)}/accepted`, { qos: 0 });
    client.on('message', (_topic, message) => {
      const { clientToken } = JSON.parse(message.toString()) as { clientToken: string };
      waiting.get(clientToken)?.();
      waiting.delete(clientToken);
    });
  }
  return (index) =>
    new Promise((resolve) => {
      waiting.set(`b-${index}`, resolve);
      const device = index % DEVICES;
      devices[device]?.publish(updateTopic(device), payload(index), { qos: 1 });
    });
}

/** Plain requests on kept connections: `fetch` costs the load generator more than the node. */
function byRest({ node }: Stand): (index: number) => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: DEVICES });
  return (index) =>
    new Promise((resolve, reject) => {
      const url = `${node.httpUrl}/things/rest-${index % DEVICES}/shadow`;
      const call = request(url, { method: 'POST', agent }, (answer) => {
        answer.resume();
        answer.on('end', () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`REST: ${answer.statusCode}`)),
        );
      });
      call.on('error', reject);
      call.end(payload(index));
    });
}

/** One transaction per update: what no service over etcd can beat when it is idle. */
function byBareCas({ etcd }: Stand): (index: number) => Promise<void> {
  return async (index) => {
    const key = Buffer.from(`/bench/${index % DEVICES}/${index}`);
    await etcd.client.kv.txn({
      compare: [{ key, target: 'Mod', result: 'Equal', mod_revision: '0' }],
      success: [{ request_put: { key, value: Buffer.from(payload(index)) } }],
      failure: [{ request_range: { key } }],
    } as never);
  };
}

async function main(): Promise<void> {
  const stand = await setUp();
  try {
    const idle = await processUsage(stand.node.pid, 10);
    const ways: Record<string, (index: number) => Promise<void>> = {
      'bare CAS': byBareCas(stand),
      'MQTT to PUBACK': byPuback(stand),
      REST: byRest(stand),
    };
    const medians: Record<string, number[]> = {};
    const all: Record<string, number[]> = {};
    let next = 0;
    const measure = async (name: string, send: (index: number) => Promise<void>, seconds: number): Promise<void> => {
      const base = next;
      next += RATE * seconds;
      const values = await openLoop(RATE, seconds, (index) => send(base + index));
      (medians[name] ??= []).push(median(values));
      (all[name] ??= []).push(...values);
    };
    for (const send of Object.values(ways))
      await openLoop(
        RATE,
        1,
        (
          (base) => (index: number) =>
            send(base + index)
        )((next += RATE)),
      );
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, send] of Object.entries(ways)) await measure(name, send, SECONDS);
    const accepted = await byAccepted(stand);
    for (let round = 0; round < ROUNDS; round++) {
      await measure('bare CAS', ways['bare CAS'] as (index: number) => Promise<void>, SECONDS);
      await measure('MQTT to accepted', accepted, SECONDS);
    }
    print(idle, medians, all);
  } finally {
    for (const device of stand.devices) device.end(true);
    await stand.node.stop();
    await stand.etcd.stop();
  }
}

function print(
  idle: { cores: number; rss: number },
  medians: Record<string, number[]>,
  all: Record<string, number[]>,
): void {
  const base = median(medians['bare CAS'] ?? []);
  const rows = Object.entries(all).map(([name, values]) => {
    const { n, p50, p99, max } = spread(values);
    return [name, String(n), median(medians[name] ?? []) / base, p50, p99, max];
  });
  const text = table(['update at 500/s', 'n', 'p50 / bare CAS', 'p50 ms', 'p99 ms', 'max ms'], rows);
  const usage = `idle node, ${DEVICES} connections: ${(idle.cores * 100).toFixed(1)} % of a core, ${(idle.rss / 1048576).toFixed(0)} MiB resident`;
  process.stdout.write(`${text}\n\n${usage}\n`);
}

await main();
