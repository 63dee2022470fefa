import type { EtcdServer } from '../../harness/etcd.js';
import { encodeRecord } from '../../../src/store/etcd/codec.js';
import { formatKey } from '../../../src/store/etcd/keys.js';
import type { JsonObject } from '../../../src/document/shadow-document.js';
import type { Lab, RunningNode, Side } from '../lab.js';
import { residentBytes } from '../load/process-usage.js';
import { connectMany, topicBytes } from '../load/mqtt-device.js';
import { openLoop } from '../load/open-loop.js';
import { atMost, note, p50, p99, ratio, row, type Result } from '../result.js';

/** Updates a second while latency is measured. */
const RATE = 500;
export const STORED_PREFIX = '/stored/';
/** Devices that touch shadows; each one at a time. */
export const DEVICES = 100;

/** Nothing a node does may grow with what is stored: start, memory, latency. */
export async function stored(lab: Lab): Promise<Result> {
  const sizes =
    lab.scale.kind === 'smoke'
      ? [100, 200]
      : lab.scale.kind === 'quick'
        ? [10_000, 100_000]
        : [10_000, 100_000, 1_000_000];
  const nodes: { size: number; node: RunningNode; resident: number }[] = [];
  const sides: Record<string, Side> = {};
  for (const size of sizes) {
    const etcd = await lab.etcd();
    await fill(etcd, size);
    const node = await lab.node('umbra', { etcd: [etcd], prefix: STORED_PREFIX });
    const resident = residentBytes(node.process.pid);
    nodes.push({ size, node, resident });
    sides[String(size)] = await touching(lab, node, size);
  }
  const found = await lab.alternate(sides);
  const small = found[String(sizes[0])] ?? [];
  const rows = nodes.map(({ size, node }) => row(`ready over ${size} shadows`, [node.readySeconds], atMost(5), ' s'));
  for (const size of sizes.slice(1)) {
    const samples = found[String(size)] ?? [];
    rows.push(ratio(`p50 of an update, ${size} stored over ${sizes[0]}`, samples, small, p50));
    rows.push(ratio(`p99 of an update, ${size} stored over ${sizes[0]}`, samples, small, p99));
  }
  return {
    rows,
    notes: [
      ...nodes.map(({ size, resident }) => `${size} stored: ${(resident / 1024 ** 2).toFixed(0)} MiB when ready`),
      ...Object.entries(found).map(([name, samples]) => note(`${name} stored`, samples)),
    ],
  };
}

/** About 1 KB as it is kept. */
export function document(i: number): Buffer {
  const reported: JsonObject = {};
  for (let k = 0; k < 12; k++) reported[`reading-${k}`] = `${i}-${'x'.repeat(12)}`;
  const stamps = Object.fromEntries(Object.keys(reported).map((name) => [name, { timestamp: 1_700_000_000 }]));
  return encodeRecord({
    state: { version: 1, reported, metadata: { reported: stamps } },
    change: { kind: 'update', patch: null, principal: 'bench', at: 1_700_000_000_000 },
    writes: 'fill',
  });
}

/** Straight into etcd, as a service that has run for long would have left it. */
export async function fill({ client }: EtcdServer, count: number): Promise<void> {
  const send = async (from: number): Promise<void> => {
    const puts = Array.from({ length: Math.min(100, count - from) }, (_, k) => ({
      request_put: {
        key: Buffer.from(formatKey(STORED_PREFIX, { tenant: 'default', thing: `s-${from + k}`, name: null })),
        value: document(from + k),
      },
    }));
    await client.kv.txn({ success: puts });
  };
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await send((next += 100) - 100);
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

/** Updates of shadows that are all over what is stored, nearly never the same twice. */
async function touching(lab: Lab, node: RunningNode, size: number): Promise<Side> {
  const touch = await toucher(lab, node, 'touch');
  let n = 0;
  const next = (): number => (n++ * 7919) % size;
  return { run: () => openLoop(RATE, lab.scale.seconds, () => touch(next())), pids: { node: node.process.pid } };
}

export async function toucher(lab: Lab, node: RunningNode, name: string): Promise<(thing: number) => Promise<void>> {
  const devices = await connectMany([node.mqttPort], DEVICES, name);
  lab.onEnd(() => devices.forEach((device) => device.end()));
  const waiting = devices.map(() => new Map<number, () => void>());
  devices.forEach((device, i) => {
    device.onPuback = (id) => {
      waiting[i]?.get(id)?.();
      waiting[i]?.delete(id);
    };
  });
  let n = 0;
  return (thing) =>
    new Promise((resolve) => {
      const i = n % DEVICES;
      const id = (n++ % 65_535) + 1;
      waiting[i]?.set(id, resolve);
      devices[i]?.publish(
        topicBytes(`$aws/things/s-${thing}/shadow/update`),
        id,
        '{"state":{"reported":{"reading-0":1}}}',
      );
    });
}
