import { SYSTEM_CLOCK } from '../../../src/resilience/clock.js';
import { createEtcdStore } from '../../../src/store/etcd/open-etcd.js';
import { Lineage } from '../../../src/store/etcd/lineage.js';
import { SILENT_LOGGER } from '../../../src/telemetry/logger.js';
import { etcdConfig } from '../../harness/etcd-store.js';
import type { Lab, Side } from '../lab.js';
import { HttpConnection } from '../load/http-connection.js';
import { connectMany, topicBytes } from '../load/mqtt-device.js';
import { openLoop } from '../load/open-loop.js';
import { cpuSeconds } from '../load/process-usage.js';
import { atMost, note, p50, ratio, type Result } from '../result.js';
import { cas, change } from './store.js';

const RATE = 500;
const DEVICES = 50;
const DELTA_OF_D = 'd'.charCodeAt(0);

/** Latency far from the limits: an update through the store, and through MQTT, against one CAS on the same etcd. */
export async function idle(lab: Lab): Promise<Result> {
  const etcd = await lab.etcd();
  const node = await lab.node('umbra', { etcd: [etcd] });
  const config = { etcd: etcdConfig([etcd.endpoint]), maxQueuedPerShadow: 100, cacheEntries: 100_000 };
  const opened = createEtcdStore({ config, history: new Lineage(), logger: SILENT_LOGGER, clock: SYSTEM_CLOCK });
  lab.onEnd(() => opened.close());
  const idleCores = await idleUse(node.process.pid, lab.size(10, 3, 0.2));
  const seconds = lab.scale.seconds;
  let next = 0;
  const loop = (send: (n: number) => Promise<unknown>): Side => ({
    run: () => openLoop(RATE, seconds, () => send(++next)),
  });
  const mqtt = await byMqtt(lab, node.mqttPort);
  const rest = await byRest(lab, node.httpPort);
  const revisions = new Map<number, string>();
  const found = await lab.alternate({
    cas: loop((n) => cas(etcd.client, Buffer.from(`/idle/${n}`), revisions.get(n) ?? '0')),
    store: loop((n) =>
      opened.store.update({ tenant: 'bench', thing: `t-${n % 200}`, name: null }, change(n), {
        deadline: performance.now() + 5000,
      }),
    ),
    puback: loop((n) => mqtt(n, 'puback')),
    accepted: loop((n) => mqtt(n, 'accepted')),
    rest: loop(rest),
  });
  return {
    rows: [
      ratio('p50, the store over one CAS', found.store, found.cas, p50, atMost(1.1)),
      ratio('p50, MQTT until PUBACK over one CAS', found.puback, found.cas, p50),
      ratio('p50, MQTT until accepted over one CAS', found.accepted, found.cas, p50),
      ratio('p50, REST over one CAS', found.rest, found.cas, p50),
    ],
    notes: [
      ...Object.entries(found).map(([name, samples]) => note(name, samples)),
      `a node without work uses ${(idleCores * 100).toFixed(1)} % of a core`,
    ],
  };
}

async function byMqtt(lab: Lab, port: number): Promise<(n: number, until: 'puback' | 'accepted') => Promise<void>> {
  const devices = await connectMany([port], DEVICES, 'idle');
  lab.onEnd(() => devices.forEach((device) => device.end()));
  const waiting = devices.map(() => ({ puback: [] as (() => void)[], accepted: [] as (() => void)[] }));
  const topics = devices.map((_, i) => topicBytes(`$aws/things/idle-${i}/shadow/update`));
  for (const [i, device] of devices.entries()) {
    await device.subscribe(`$aws/things/idle-${i}/shadow/update/accepted`);
    device.onPuback = () => waiting[i]?.puback.shift()?.();
    device.onMessage = (tail) => void (tail === DELTA_OF_D && waiting[i]?.accepted.shift()?.());
  }
  return (n, until) => {
    const i = n % DEVICES;
    const queues = waiting[i] as (typeof waiting)[number];
    return new Promise((resolve) => {
      queues.puback.push(until === 'puback' ? resolve : () => {});
      queues.accepted.push(until === 'accepted' ? resolve : () => {});
      devices[i]?.publish(topics[i] as Buffer, (n % 65_535) + 1, `{"state":{"reported":{"n":${n},"door":"closed"}}}`);
    });
  };
}

async function byRest(lab: Lab, port: number): Promise<(n: number) => Promise<unknown>> {
  const connections = await Promise.all(Array.from({ length: DEVICES }, () => HttpConnection.open(port)));
  lab.onEnd(() => connections.forEach((connection) => connection.end()));
  // One request at a time on each, as browsers and SDKs do.
  const last = connections.map((): Promise<unknown> => Promise.resolve());
  return (n) => {
    const i = n % DEVICES;
    const body = `{"state":{"reported":{"n":${n},"door":"closed"}}}`;
    const answer = (last[i] ?? Promise.resolve()).then(() =>
      connections[i]?.send('POST', `/things/rest-${i}/shadow`, body),
    );
    last[i] = answer;
    return answer;
  };
}

async function idleUse(pid: number, seconds: number): Promise<number> {
  const before = cpuSeconds(pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return (cpuSeconds(pid) - before) / seconds;
}
