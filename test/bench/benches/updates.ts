import type { MosquittoBroker } from '../../harness/mosquitto.js';
import type { Lab, Measured, NodePlace, Peer, Side } from '../lab.js';
import { UpdateLoad } from '../load/update-load.js';
import { atLeast, note, perSecond, ratio, type Result } from '../result.js';
import { rawGroupCommit } from './store.js';

export interface UpdatesOptions {
  readonly devices: number;
  /** Of etcd. */
  readonly members: number;
  /** Target of the ratio to naive. */
  readonly overNaive: number;
  /** To which broker the devices connect; the one in the node unless told. */
  readonly broker?: 'mosquitto';
}

/** Updates over MQTT, one under way per device: this service and its peers in turn. */
export async function updates(lab: Lab, options: UpdatesOptions): Promise<Result> {
  const etcd = options.members === 1 ? [await lab.etcd()] : await lab.members(options.members);
  const redis = await lab.redis();
  const etcdPid = { etcd: etcd[0]?.pid ?? -1 };
  const sides = {
    umbra: await side(lab, options, 'umbra', { etcd }, etcdPid),
    naive: await side(lab, options, 'naive', { etcd }, etcdPid),
    echo: await side(lab, options, 'echo', {}, {}),
    redis: await side(lab, options, 'redis', { redis }, { redis: redis.pid }),
  };
  // What etcd takes from one client does not depend on the broker: once is enough.
  const found: Record<Peer, Measured[]> & { raw?: Measured[] } = options.broker
    ? await lab.alternate(sides)
    : await lab.alternate({ ...sides, raw: await rawGroupCommit(lab, etcd, '/raw/') });
  return {
    rows: [
      ratio('over naive (get and CAS)', found.umbra, found.naive, perSecond, atLeast(options.overNaive)),
      ratio('over durable Redis Streams', found.umbra, found.redis, perSecond, atLeast(1)),
      ratio('over an echo without a store', found.umbra, found.echo, perSecond, atLeast(0.55)),
      ...(found.raw ? [ratio('over raw etcd group commit', found.umbra, found.raw, perSecond)] : []),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}

async function side(
  lab: Lab,
  { devices, broker }: UpdatesOptions,
  peer: Peer,
  place: NodePlace,
  store: Record<string, number>,
): Promise<Side> {
  // One for each peer: it hands every request to every service that is connected to it.
  const mosquitto = broker === 'mosquitto' ? await lab.mosquitto() : null;
  const env = mosquitto === null ? {} : behind(mosquitto, devices);
  const { mqttPort, process } = await lab.node(peer, { ...place, env });
  const port = mosquitto === null ? mqttPort : Number(new URL(mosquitto.url).port);
  const load = await UpdateLoad.open({ ports: [port], devices, prefix: peer });
  lab.onEnd(() => load.end());
  const broking = mosquitto === null ? {} : { mosquitto: mosquitto.pid };
  return { run: () => load.run(lab.scale.seconds), pids: { node: process.pid, ...broking, ...store } };
}

/** As behind the built-in broker: no bound below what the devices have under way, no documents that nobody reads. */
function behind({ url }: MosquittoBroker, devices: number): Record<string, string> {
  return {
    UMBRA_BROKER_URL: url,
    UMBRA_BROKER_DOCUMENTS: 'false',
    UMBRA_BROKER_MAX_IN_FLIGHT: String(Math.max(1000, devices)),
  };
}
