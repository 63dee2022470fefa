import type { MosquittoBroker } from '../../harness/mosquitto.js';
import type { Lab, NodePlace, Peer, Side } from '../lab.js';
import { openUpdateLoad } from '../load/update-load.js';
import { atLeast, note, perSecond, ratio, type Result } from '../result.js';

export interface ExternalBrokerOptions {
  readonly devices: number;
  /** Of etcd. */
  readonly members: number;
  /** Target of the ratio to naive. */
  readonly overNaive: number;
}

/** Updates over MQTT through a mosquitto, one under way per device: this service and its peers in turn. */
export async function externalBroker(lab: Lab, options: ExternalBrokerOptions): Promise<Result> {
  const etcd = options.members === 1 ? [await lab.etcd()] : await lab.members(options.members);
  const redis = await lab.redis();
  const etcdPid = { etcd: etcd[0]?.pid ?? -1 };
  const found = await lab.alternate({
    umbra: await side(lab, options, 'umbra', { etcd }, etcdPid),
    naive: await side(lab, options, 'naive', { etcd }, etcdPid),
    echo: await side(lab, options, 'echo', {}, {}),
    redis: await side(lab, options, 'redis', { redis }, { redis: redis.pid }),
  });
  return {
    rows: [
      ratio('over naive (get and CAS)', found.umbra, found.naive, perSecond, atLeast(options.overNaive)),
      ratio('over durable Redis Streams', found.umbra, found.redis, perSecond, atLeast(1)),
      ratio('over an echo without a store', found.umbra, found.echo, perSecond, atLeast(0.55)),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}

async function side(
  lab: Lab,
  { devices }: ExternalBrokerOptions,
  peer: Peer,
  place: NodePlace,
  store: Record<string, number>,
): Promise<Side> {
  // One for each peer: it hands every request to every service that is connected to it.
  const mosquitto = await lab.mosquitto();
  const { process } = await lab.node(peer, { ...place, env: behind(mosquitto, devices) });
  const load = await openUpdateLoad({ ports: [Number(new URL(mosquitto.url).port)], devices, prefix: peer });
  lab.onEnd(() => load.end());
  return { run: () => load.run(lab.scale.seconds), pids: { node: process.pid, mosquitto: mosquitto.pid, ...store } };
}

/** As behind the built-in broker: no bound below what the devices have under way, no documents that nobody reads. */
function behind({ url }: MosquittoBroker, devices: number): Record<string, string> {
  return {
    UMBRA_BROKER_URL: url,
    UMBRA_BROKER_DOCUMENTS: 'false',
    UMBRA_BROKER_MAX_IN_FLIGHT: String(Math.max(1000, devices)),
  };
}
