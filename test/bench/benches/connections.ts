import type { Lab } from '../lab.js';
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
  const before = await settled(lab, node.process.pid, () => node.process.signal('SIGHUP'));
  await open(warm, count);
  const after = await settled(lab, node.process.pid, () => node.process.signal('SIGHUP'));
  const each = (after - before) / 1024 / (count - warm);
  return {
    rows: [row('resident per idle connection', [each], atMost(12), ' KiB')],
    notes: [
      `${count} connections${count < wanted ? ` of ${wanted}: the limit of open files` : ''}; ` +
        `the node holds ${(after / 1024 ** 2).toFixed(0)} MiB`,
    ],
  };
}

/** After full collections, so that garbage of the way there is not counted. */
export async function settled(lab: Lab, pid: number, collect: () => void): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, lab.size(1000, 500, 50)));
  }
  return residentBytes(pid);
}
