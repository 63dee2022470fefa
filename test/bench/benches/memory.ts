import { logLines } from '../../harness/node-process.js';
import { until } from '../../harness/until.js';
import type { Lab, RunningNode } from '../lab.js';
import { connectMany } from '../load/mqtt-device.js';
import { openFiles, residentBytes } from '../load/process-usage.js';
import { atMost, row, type Result } from '../result.js';
import { DEVICES, document, fill, STORED_PREFIX, toucher } from './stored.js';

/** Descriptors that the node and the load need beside the connections. */
const SPARE = 200;

/** What an idle connection with one subscription makes a node hold, and what a shadow that was touched once. */
export async function memory(lab: Lab): Promise<Result> {
  const idle = await perConnection(lab);
  const touched = await perTouched(lab);
  const short = idle.count < idle.wanted ? ` of ${idle.wanted}: the limit of open files` : '';
  return {
    rows: [
      row('resident per idle connection', [idle.each.resident], atMost(6), ' KiB'),
      row('resident per touched shadow of 945 bytes in record format 1', [touched.each.resident], atMost(1), ' KiB'),
    ],
    notes: [
      `${idle.count} connections${short}; the node holds ${(idle.resident / 1024 ** 2).toFixed(0)} MiB; ` +
        `heap per connection ${idle.each.heap.toFixed(2)} KiB`,
      `${touched.count} touched shadows of ${document(0).length} bytes; heap per shadow ${touched.each.heap.toFixed(2)} KiB`,
    ],
  };
}

interface Connections {
  readonly count: number;
  readonly wanted: number;
  readonly each: Held;
  /** Bytes of the node with all of them. */
  readonly resident: number;
}

async function perConnection(lab: Lab): Promise<Connections> {
  const warm = lab.size(1000, 1000, 20);
  const wanted = lab.size(20_000, 6000, 100);
  const count = Math.min(wanted, openFiles() - SPARE);
  // Without it the node keeps a fifth of the descriptors for HTTP.
  const env = { UMBRA_MQTT_MAX_CONNECTIONS: String(count) };
  const node = await lab.node('umbra', { etcd: [await lab.etcd()], env });
  const ends: (() => void)[] = [];
  const open = async (first: number, last: number): Promise<void> => {
    for (let i = first; i < last; i += 500) {
      const some = await connectMany([node.mqttPort], Math.min(500, last - i), `idle-${i}`);
      ends.push(() => some.forEach((device) => device.end()));
      await Promise.all(some.map((device, k) => device.subscribe(`$aws/things/idle-${i}-${k}/shadow/update/delta`)));
    }
  };
  lab.onEnd(() => ends.forEach((end) => end()));
  // The first thousand bring code and pools with them, which the others share.
  await open(0, warm);
  const before = await settled(lab, node);
  await open(warm, count);
  const after = await settled(lab, node);
  ends.splice(0).forEach((end) => end());
  return { count, wanted, each: growth(before, after, count - warm), resident: after.resident };
}

interface Touched {
  readonly count: number;
  readonly each: Held;
}

/** Touches so many different shadows once, and looks what the node holds for each. */
async function perTouched(lab: Lab): Promise<Touched> {
  const etcd = await lab.etcd();
  const count = lab.size(90_000, 20_000, 100);
  await fill(etcd, count);
  const node = await lab.node('umbra', { etcd: [etcd], prefix: STORED_PREFIX });
  const touch = await toucher(lab, node, 'memory');
  const warm = Math.floor(count / 10);
  const walk = async (from: number, to: number): Promise<void> => {
    let next = from;
    const worker = async (): Promise<void> => {
      while (next < to) await touch(next++);
    };
    await Promise.all(Array.from({ length: DEVICES }, worker));
  };
  // As many updates as will count: the young generation and the history of the feed have their sizes then.
  for (let round = 0; round * warm < count; round++) await walk(0, warm);
  const before = await settled(lab, node);
  await walk(warm, count);
  const after = await settled(lab, node);
  return { count, each: growth(before, after, count - warm) };
}

/** Bytes of a node. */
interface Held {
  readonly resident: number;
  readonly heap: number;
}

/** After full collections, so that garbage of the way there is not counted. */
async function settled(lab: Lab, { process: node }: RunningNode): Promise<Held> {
  const collected = (): Record<string, unknown>[] => logLines(node.logs()).filter(({ msg }) => msg === 'collected');
  let heap = Number.NaN;
  for (let i = 0; i < 3; i++) {
    const { length } = collected();
    node.signal('SIGHUP');
    await until('the node has collected its garbage', () => collected().length > length);
    heap = Number(collected().at(-1)?.['heapUsed']);
    // What was freed goes back to the system a little later.
    await new Promise((resolve) => setTimeout(resolve, lab.size(1000, 500, 50)));
  }
  return { resident: residentBytes(node.pid), heap };
}

/** KiB that each of so many things more made a node hold. */
function growth(before: Held, after: Held, count: number): Held {
  const each = (what: keyof Held): number => (after[what] - before[what]) / 1024 / count;
  return { resident: each('resident'), heap: each('heap') };
}
