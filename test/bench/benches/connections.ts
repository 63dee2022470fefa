import { logLines } from '../../harness/node-process.js';
import type { Lab, RunningNode } from '../lab.js';
import { connectMany } from '../load/mqtt-device.js';
import { openFiles, residentBytes } from '../load/process-usage.js';
import { atMost, row, type Result } from '../result.js';

/** Descriptors that the node and the load need beside the connections. */
const SPARE = 200;

/** Idle devices with one subscription each: what one costs the node. */
export async function connections(lab: Lab): Promise<Result> {
  const node = await lab.node('umbra', { etcd: [await lab.etcd()] });
  const warm = lab.size(1000, 1000, 20);
  const wanted = lab.size(20_000, 5000, 100);
  const count = Math.min(wanted, openFiles() - SPARE);
  const open = async (first: number, last: number): Promise<void> => {
    for (let i = first; i < last; i += 500) {
      const some = await connectMany([node.mqttPort], Math.min(500, last - i), `idle-${i}`);
      lab.onEnd(() => some.forEach((device) => device.end()));
      await Promise.all(some.map((device, k) => device.subscribe(`$aws/things/idle-${i}-${k}/shadow/update/delta`)));
    }
  };
  // The first thousand bring code and pools with them, which the others share.
  await open(0, warm);
  const before = await settled(lab, node);
  await open(warm, count);
  const after = await settled(lab, node);
  const each = growth(before, after, count - warm);
  return {
    rows: [row('resident per idle connection', [each.resident], atMost(12), ' KiB')],
    notes: [
      `${count} connections${count < wanted ? ` of ${wanted}: the limit of open files` : ''}; ` +
        `the node holds ${(after.resident / 1024 ** 2).toFixed(0)} MiB; heap per connection ${each.heap.toFixed(2)} KiB`,
    ],
  };
}

/** Bytes of a node. */
export interface Held {
  readonly resident: number;
  readonly heap: number;
}

/** After full collections, so that garbage of the way there is not counted. */
export async function settled(lab: Lab, { process: node }: RunningNode): Promise<Held> {
  for (let i = 0; i < 3; i++) {
    node.signal('SIGHUP');
    await new Promise((resolve) => setTimeout(resolve, lab.size(1000, 500, 50)));
  }
  const told = logLines(node.logs()).findLast(({ msg }) => msg === 'collected');
  return { resident: residentBytes(node.pid), heap: Number(told?.['heapUsed'] ?? Number.NaN) };
}

/** KiB that each of so many things more made a node hold. */
export function growth(before: Held, after: Held, count: number): Held {
  const each = (what: keyof Held): number => (after[what] - before[what]) / 1024 / count;
  return { resident: each('resident'), heap: each('heap') };
}
