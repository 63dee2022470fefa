import { join } from 'node:path';
import { cpuProfile } from '../cpu-profile.js';
import type { Lab } from '../lab.js';
import { openUpdateLoad } from '../load/update-load.js';
import { note, row, type Result } from '../result.js';
import { shares } from '../shares.js';

/** Where the node's time goes at saturation: a CPU profile of the whole MQTT path with 1,600 devices. */
export async function profile(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const file = join(process.env['BENCH_PROFILE_DIR'] ?? lab.folder(), 'umbra.cpuprofile');
  const { mqttPort, process: node } = await lab.node('umbra', { etcd, env: { BENCH_PROFILE: file } });
  const load = await openUpdateLoad({ ports: [mqttPort], devices: lab.size(1600, 1600, 20), prefix: 'profile' });
  lab.onEnd(() => load.end());
  const pids = { node: node.pid, etcd: etcd[0]?.pid ?? -1 };
  const side = { run: () => load.run(lab.scale.seconds * 2), pids };
  const { umbra } = await lab.alternate({ umbra: side });
  const parts = shares(await cpuProfile(node, file, () => load.run(lab.scale.seconds * 3)));
  const cost = umbra.map(({ cost: { node: each = 0 } }) => each);
  return {
    rows: [row('processor of the node per update', cost, undefined, ' µs')],
    notes: [note('umbra', umbra), ...parts, `profile: ${file}`],
  };
}
