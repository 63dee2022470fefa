import { connectMany, topicBytes } from '../load/mqtt-device.js';
import type { Attack, Attacked, AttackKind } from '../load/attacker.js';
import { Helper } from '../load/helper.js';
import { cpuSeconds } from '../load/process-usage.js';
import { openLoop } from '../load/open-loop.js';
import type { Sample } from '../load/sample.js';
import type { Lab, RunningNode, Side } from '../lab.js';
import { atMost, note, p99, ratio, type Result } from '../result.js';
import { fill, STORED_PREFIX } from './stored.js';

/** Updates a second of those who mean no harm, and how many they are. */
const RATE = 500;
const DEVICES = 50;
const D = 'd'.charCodeAt(0);
/** Connections of one attacker that floods. */
const FLOODING = 4;
/** Milliseconds of an attack before the window, and after it at most: answers that come later have waited that long. */
const BEFORE_MS = 300;
const AFTER_MS = 4000;
/** A node takes seconds to let thousands of streams go. */
const MAX_REST_SECONDS = 60;

/** Latency of well-behaved devices while one client floods the node or leaves its streams unread. */
export async function bystander(lab: Lab): Promise<Result> {
  const etcd = await lab.etcd();
  await fill(etcd, lab.size(5000, 2000, 50));
  const node = await lab.node('umbra', { etcd: [etcd], prefix: STORED_PREFIX });
  const attacker = Helper.start('attacker');
  lab.onEnd(() => attacker.stop());
  const update = await updating(lab, node);
  const pids = { node: node.process.pid, attacker: attacker.pid };
  const lead = (): Promise<void> => rested(node.process.pid);
  const did: Partial<Record<AttackKind, Attacked>> = {};
  const quiet = (): Promise<Sample> => openLoop(RATE, seconds(lab), update);
  const under = (kind: AttackKind, port: number, connections: number): Side => ({
    pids,
    lead,
    run: async () => {
      await attacker.ask('start', { kind, port, connections } satisfies Attack);
      await new Promise((resolve) => setTimeout(resolve, Math.min(BEFORE_MS, lab.scale.seconds * 1000)));
      const late = setTimeout(() => void attacker.ask('stop'), seconds(lab) * 1000 + AFTER_MS);
      const sample = await quiet();
      clearTimeout(late);
      did[kind] = await attacker.ask<Attacked>('stop');
      return sample;
    },
  });
  const found = await lab.alternate({
    quiet: { run: quiet, lead, pids },
    pings: under('pings', node.mqttPort, FLOODING),
    publishes: under('publishes', node.mqttPort, FLOODING),
    streams: under('streams', node.httpPort, lab.size(3000, 500, 20)),
  });
  return {
    rows: [
      ratio('p99 beside PINGREQs whose answers are not read', found.pings, found.quiet, p99, atMost(3)),
      ratio('p99 beside publishes of 6 bytes that are refused', found.publishes, found.quiet, p99, atMost(3)),
      ratio('p99 beside streams of the present state that are not read', found.streams, found.quiet, p99, atMost(2)),
    ],
    notes: [
      ...Object.entries(found).map(([name, samples]) => note(name, samples)),
      ...Object.entries(did).map(
        ([kind, { megabytes, opened }]) =>
          `${kind}, last round: ${opened} connections, ${megabytes.toFixed(1)} MiB sent`,
      ),
    ],
  };
}

/** Long enough for a p99 of a thousand updates. */
const seconds = (lab: Lab): number => Math.max(lab.scale.seconds, lab.size(3, 2, 0.2));

/** Ends when the node has put an earlier attack behind it: it takes less than a tenth of a core for a second. */
async function rested(pid: number): Promise<void> {
  for (let n = 0; n < MAX_REST_SECONDS; n++) {
    const before = cpuSeconds(pid);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const used = cpuSeconds(pid) - before;
    if (used < 0.1) return;
  }
  throw new Error(`the node is still busy ${MAX_REST_SECONDS} s after an attack`);
}

/** Updates until `accepted`, each device one after the other. */
async function updating(lab: Lab, { mqttPort }: RunningNode): Promise<(n: number) => Promise<void>> {
  const devices = await connectMany([mqttPort], DEVICES, 'bystander');
  lab.onEnd(() => devices.forEach((device) => device.end()));
  const waiting = devices.map((): { done: () => void; fail: (error: Error) => void }[] => []);
  const topics = devices.map((_, i) => topicBytes(`$aws/things/bystander-${i}/shadow/update`));
  for (const [i, device] of devices.entries()) {
    await device.subscribe(`$aws/things/bystander-${i}/shadow/update/accepted`);
    device.onMessage = (tail) => void (tail === D && waiting[i]?.shift()?.done());
    device.onEnd = (reason) => waiting[i]?.splice(0).forEach(({ fail }) => fail(new Error(`a bystander: ${reason}`)));
  }
  return (n) =>
    new Promise((done, fail) => {
      const i = n % DEVICES;
      waiting[i]?.push({ done, fail });
      devices[i]?.publish(topics[i] as Buffer, (n % 65_535) + 1, `{"state":{"reported":{"n":${n},"door":"closed"}}}`);
    });
}
