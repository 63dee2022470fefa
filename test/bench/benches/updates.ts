import type { EtcdServer } from '../../harness/etcd.js';
import { NOT_FROZEN } from '../frozen.js';
import type { Lab, Measured, Peer, Side } from '../lab.js';
import { atLeast, atMost, note, perSecond, ratio, row, type Result, type Row, type Target } from '../result.js';
import { atDoor, atRelay, nodeCost, opened, type Opening } from './doors.js';

export interface UpdatesOptions {
  readonly devices: number;
  /** Of etcd. */
  readonly members: number;
  /**
   * `peers`: rates and processor have targets. `processor`: only the processor and the echo have. `none`: three members share
   * two cores, where the processor of etcd decides.
   */
  readonly goals: 'peers' | 'processor' | 'none';
}

type Name = Peer | 'before' | 'frozen-naive' | 'frozen-redis' | 'frozen-echo' | 'relay';
type Found = Partial<Record<Name, Measured[]>>;

/** Updates over MQTT, one under way per device: this service, its peers of today and of the frozen revision, and a bare relay. */
export async function updates(lab: Lab, { devices, members, goals }: UpdatesOptions): Promise<Result> {
  const etcd = members === 1 ? [await lab.etcd()] : await lab.members(members);
  const relay: Opening = () => atRelay(lab, devices);
  const sides = await opened({ ...present(lab, etcd, devices), ...frozen(lab, etcd, devices), relay });
  const found: Found = await lab.alternate(sides);
  return {
    rows: [...processor(found, goals !== 'none'), ...rates(found, goals)],
    notes: [
      ...Object.entries(found).map(([name, samples]) => note(name, samples)),
      ...(lab.frozen === null ? [NOT_FROZEN] : []),
    ],
  };
}

function present(lab: Lab, etcd: readonly EtcdServer[], devices: number): Record<Peer, Opening> {
  const pids = pidsOf(etcd);
  return {
    umbra: () => atDoor(lab, { peer: 'umbra', name: 'umbra', devices, place: { etcd }, pids }),
    naive: () => atDoor(lab, { peer: 'naive', name: 'naive', devices, place: { etcd }, pids }),
    redis: () => overRedis(lab, devices, 'redis'),
    echo: () => atDoor(lab, { peer: 'echo', name: 'echo', devices }),
  };
}

/** The same as they were at the frozen revision; none in a clone without it. */
function frozen(lab: Lab, etcd: readonly EtcdServer[], devices: number): Record<string, Opening> {
  const main = lab.frozen;
  if (main === null) return {};
  const place = { etcd, main };
  const pids = pidsOf(etcd);
  return {
    before: () => atDoor(lab, { peer: 'umbra', name: 'before', devices, place, pids }),
    'frozen-naive': () => atDoor(lab, { peer: 'naive', name: 'frozen-naive', devices, place, pids }),
    'frozen-redis': () => overRedis(lab, devices, 'frozen-redis', main),
    'frozen-echo': () => atDoor(lab, { peer: 'echo', name: 'frozen-echo', devices, place: { main } }),
  };
}

/** A Redis of its own: two revisions need not write the same records. */
async function overRedis(lab: Lab, devices: number, name: string, main?: string): Promise<Side> {
  const redis = await lab.redis();
  const place = main === undefined ? { redis } : { redis, main };
  return atDoor(lab, { peer: 'redis', name, devices, place, pids: { redis: redis.pid } });
}

export function pidsOf(etcd: readonly EtcdServer[]): Record<string, number> {
  return Object.fromEntries(etcd.map(({ pid }, i) => [i === 0 ? 'etcd' : `etcd-${i + 1}`, pid]));
}

function processor({ umbra = [], before, echo = [], relay = [] }: Found, goals: boolean): Row[] {
  const most = (value: number): Target | undefined => (goals ? atMost(value) : undefined);
  const share = umbra.map((each, i) => nodeCost(each) - nodeCost(echo[i] as Measured));
  const name = 'processor of the node per update';
  return [
    row(name, umbra.map(nodeCost), most(45), ' µs'),
    ...(before ? [ratio(`${name}, over the frozen revision`, umbra, before, nodeCost, most(0.36))] : []),
    row('share of the store: that, less the echo\'s', share, most(11), ' µs'), // prettier-ignore
    ratio(`${name}, over the relay's`, umbra, relay, nodeCost),
  ];
}

function rates(found: Found, goals: UpdatesOptions['goals']): Row[] {
  const over = (label: string, name: Name, least?: number): Row[] => {
    const under = found[name];
    const target = least === undefined ? undefined : atLeast(least);
    return under ? [ratio(label, found.umbra ?? [], under, perSecond, target)] : [];
  };
  const peers = (value: number): number | undefined => (goals === 'peers' ? value : undefined);
  return [
    ...over('updates/s over the frozen revision', 'before'),
    ...over('over the frozen naive', 'frozen-naive', peers(14)),
    ...over('over the frozen durable Redis', 'frozen-redis', peers(3.5)),
    ...over('over the frozen echo', 'frozen-echo'),
    ...over('over naive with these doors', 'naive'),
    ...over('over durable Redis with these doors', 'redis'),
    ...over('over the echo with these doors', 'echo', goals === 'none' ? undefined : 0.5),
    ...over('over a mosquitto that relays the same bytes', 'relay', peers(0.45)),
  ];
}
