import type { Lab, Peer, RunningNode, Side } from '../lab.js';
import { Calls } from '../load/calls.js';
import { HttpConnection } from '../load/http-connection.js';
import { connectMany } from '../load/mqtt-device.js';
import { note, p50, perSecond, ratio, type Result } from '../result.js';

const DEVICES = 50;

/** An operator sets desired through REST; it counts when the device has the delta. */
export async function desired(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const redis = await lab.redis();
  const nodes: Record<Peer, RunningNode> = {
    umbra: await lab.node('umbra', { etcd }),
    naive: await lab.node('naive', { etcd }),
    echo: await lab.node('echo'),
    redis: await lab.node('redis', { redis }),
  };
  const found = await lab.alternate({
    umbra: await side(lab, 'umbra', nodes.umbra),
    naive: await side(lab, 'naive', nodes.naive),
    echo: await side(lab, 'echo', nodes.echo),
    redis: await side(lab, 'redis', nodes.redis),
  });
  return {
    rows: [
      ratio('over naive', found.umbra, found.naive, perSecond),
      ratio('over durable Redis Streams', found.umbra, found.redis, perSecond),
      ratio('over an echo without a store', found.umbra, found.echo, perSecond),
      ratio('p50 until the delta, over naive', found.umbra, found.naive, p50),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}

async function side(lab: Lab, peer: Peer, { mqttPort, httpPort, process }: RunningNode): Promise<Side> {
  const devices = await connectMany([mqttPort], DEVICES, peer);
  const operators = await Promise.all(devices.map(() => HttpConnection.open(httpPort)));
  const deltas: ((value: unknown) => void)[] = [];
  for (const [i, device] of devices.entries()) {
    await device.subscribe(`$aws/things/${peer}-${i}/shadow/update/delta`);
    device.onMessage = () => deltas[i]?.(null);
  }
  const load = new Calls(
    DEVICES,
    (caller, n) => {
      const delta = new Promise((resolve) => (deltas[caller] = resolve));
      const body = `{"state":{"desired":{"target":${n}}}}`;
      return Promise.all([operators[caller]?.send('POST', `/things/${peer}-${caller}/shadow`, body), delta]);
    },
    () => [...devices, ...operators].forEach((connection) => connection.end()),
  );
  lab.onEnd(() => load.end());
  return { run: () => load.run(lab.scale.seconds), pids: { node: process.pid } };
}
