import { FAULTS, faultOf, impossible, type FaultName } from '../faults/faults.js';
import { LONG_REQUESTS_MS } from '../faults/cut-off-node.js';
import { canMoveClock } from '../faults/fake-clock.js';
import type { Random } from './random.js';
import { hasMosquitto, type TopologySpec } from '../topology.js';
import type { TrafficOptions } from '../actors/traffic.js';
import { USUAL_TRAFFIC } from '../actors/traffic.js';

/** One fault of a plan. Milliseconds. */
export interface Step {
  readonly fault: FaultName;
  /** Traffic before it begins. */
  readonly after: number;
  /** From when it is there until it is healed. */
  readonly hold: number;
}

export interface Scenario {
  readonly name: string;
  readonly topology: TopologySpec;
  readonly steps: readonly Step[];
  readonly traffic: TrafficOptions;
  /** The issue or the bug that it was found by. */
  readonly issue?: number;
  readonly maxMemory?: number;
}

export const DEFAULT_TOPOLOGY: TopologySpec = {
  members: 1,
  nodes: 2,
  broker: 'built-in',
  proxied: true,
  timers: 'default',
};

const QUOTA = 24 * 1024 * 1024;
/** Of random plans: what several rounds write must fit below what the nodes take for full. */
const LARGE_QUOTA = 96 * 1024 * 1024;
const HEAVY: TrafficOptions = { shadows: 6, intervalMs: 40, padding: 6_000 };

function scenario(
  name: string,
  faults: readonly (FaultName | readonly [FaultName, number])[],
  topology: Partial<TopologySpec> = {},
  more: Partial<Scenario> = {},
): Scenario {
  const steps = faults.map((each): Step => {
    const [fault, hold] = typeof each === 'string' ? [each, 2_500] : each;
    return { fault, after: 1_500, hold };
  });
  return { name, topology: { ...DEFAULT_TOPOLOGY, ...topology }, steps, traffic: USUAL_TRAFFIC, ...more };
}

const mosquitto = { broker: 'mosquitto' } as const;
const full = { quotaBytes: QUOTA, env: { UMBRA_ETCD_QUOTA_BYTES: String(20 << 20) } };
/** Every delta has text that no device reports, so that there is always one that could come again. */
const WITH_DELTA: TrafficOptions = { shadows: 5, intervalMs: 50, padding: 200 };
/** A stream that resumes soon is behind what the node remembers, and needs etcd. */
const SHORT_MEMORY = { UMBRA_WATCH_HISTORY_RECORDS: '10' };
/** What a small container has. */
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=384' };

const three = { members: 3, nodes: 2, proxied: false } as const;

/** Traffic x fault x topology. `restore-*` are in restore.ts. */
export const MATRIX: readonly Scenario[] = [
  scenario('calm, 1 node', [['none', 4_000]], { nodes: 1 }),
  scenario('calm, 3 nodes', [['none', 4_000]], { nodes: 3 }),
  scenario('calm, 3 members', [['none', 4_000]], { ...three, nodes: 3 }),
  scenario('etcd killed', ['kill-leader', ['kill-leader', 6_000]]),
  scenario('etcd stopped', [
    ['stop-leader', 2_500],
    ['stop-leader', 9_000],
  ]),
  scenario('etcd swallows everything', [['blackhole', 9_000]]),
  scenario('etcd never answers', [['no-responses', 9_000]]),
  scenario('etcd refuses connections', [['refused', 9_000]]),
  scenario('responses lost after commit', [['response-lost', 8_000]]),
  scenario('slow network', [['slow-network', 6_000]]),
  scenario('compaction while a watcher is away', ['compaction-while-away', 'compaction-while-away']),
  scenario('Umbra node killed, 2 nodes', ['kill-node', 'kill-node']),
  scenario('Umbra node killed, 1 node', ['kill-node'], { nodes: 1 }),
  scenario('Umbra node stopped', [['stop-node', 4_000]], { nodes: 3 }),
  scenario('SIGTERM during load', ['terminate-node', 'terminate-node'], { nodes: 2 }),
  scenario('rolling restart of everything', ['rolling-restart'], { nodes: 3 }),
  scenario('clock of a node jumps', ['clock-forward', 'clock-back'], { movableClock: true }),
  scenario(
    'devices that never read',
    [['silent-devices', 12_000]],
    { nodes: 2, env: { UMBRA_MQTT_DRAIN_TIMEOUT_MS: '3000', UMBRA_MQTT_MAX_BACKLOG_BYTES: '65536' } },
    { traffic: HEAVY },
  ),
  scenario('slow devices', [['slow-devices', 5_000]], { nodes: 2 }, { traffic: { ...HEAVY, intervalMs: 60 } }),
  scenario('2,000 devices reconnect at once', [['reconnect-storm', 1_000]], { nodes: 2 }, { maxMemory: 600e6 }),
  scenario('quota alarm', ['quota-alarm'], full),
  scenario('disk full', ['disk-full'], { diskBytes: 200 * 1024 * 1024 }),
  scenario('leader killed', ['kill-leader', 'kill-leader'], three),
  scenario('leader stopped', [['stop-leader', 4_000]], three),
  scenario('follower killed', ['kill-follower'], three),
  scenario('follower stopped', [['stop-follower', 4_000]], three),
  scenario('quorum killed', [['kill-quorum', 9_000]], three),
  scenario('leader partitioned', [['partition-leader', 5_000]], three),
  scenario('follower partitioned', [['partition-follower', 5_000]], three),
  scenario('leader partitioned from its peers', [['partition-leader-peers', 8_000]], three),
  scenario('leader hears no peer', [['partition-leader-one-way', 8_000]], three),
  scenario('leader swallows clients', [['blackhole-leader', 8_000]], three),
  scenario('slow and lossy network, 3 members', [['slow-network', 6_000]], { ...three, proxied: true }),
  scenario('responses lost after commit, 3 members', [['response-lost', 6_000]], { ...three, proxied: true }),
  scenario('compaction while a watcher is away, 3 members', ['compaction-while-away'], { ...three, proxied: true }),
  scenario('calm behind mosquitto', [['none', 4_000]], { broker: 'mosquitto' }),
  scenario('Umbra node killed behind mosquitto', [['kill-node', 6_000], 'kill-node'], { broker: 'mosquitto' }),
  scenario('etcd killed behind mosquitto', ['kill-leader', ['kill-leader', 6_000]], { broker: 'mosquitto' }),
  scenario('mosquitto killed', ['kill-broker', 'kill-broker'], { broker: 'mosquitto' }),
  scenario('SIGTERM of mosquitto', ['terminate-broker', 'terminate-broker'], { broker: 'mosquitto' }),
  scenario('mosquitto stopped', [['stop-broker', 8_000]], { ...mosquitto, env: { UMBRA_BROKER_MAX_IN_FLIGHT: '100' } }),
  scenario('one node cut off from etcd', [['cut-off-node', 6_000], 'cut-off-node']),
  scenario('one node cut off from etcd behind mosquitto', [['cut-off-node', 6_000]], mosquitto),
  scenario('the holder of a lane cut off from etcd', [['cut-off-holder', 0]], {
    ...mosquitto,
    env: { UMBRA_REQUEST_TIMEOUT_MS: String(LONG_REQUESTS_MS) },
  }),
  scenario(
    'quiet fleet, compaction, rolling restart',
    [['quiet-fleet', 0]],
    { ...mosquitto, env: { UMBRA_WATCH_BOOKMARK_MS: '1000' } },
    { traffic: WITH_DELTA },
  ),
  scenario(
    'clock of a node jumps by days',
    [
      ['clock-days-forward', 5_000],
      ['clock-days-back', 5_000],
    ],
    {
      movableClock: true,
    },
  ),
  scenario('clock goes back while etcd is away', [['clock-back-without-storage', 500]], { movableClock: true }),
  scenario('full etcd with streams and deletions', ['full-with-streams'], {
    ...full,
    env: { ...full.env, UMBRA_WATCH_BOOKMARK_MS: '1000' },
  }),
  scenario('users of etcd, simple tokens', ['user-added'], { users: 'simple', env: SHORT_MEMORY }),
  scenario('users of etcd, JWT', ['user-added'], { users: 'jwt', env: SHORT_MEMORY }),
  scenario('readers that take nothing', [['silent-readers', 25_000]], { env: SMALL_HEAP }, { maxMemory: 650e6 }),
  scenario('doubt together with compaction', ['doubt-and-compaction', 'doubt-and-compaction']),
  scenario('SIGTERM during load, 3 nodes', ['terminate-node', 'terminate-node'], { ...three, nodes: 3 }),
  scenario('rolling restart of everything, 3 members', ['rolling-restart'], { ...three, nodes: 3 }),
];

/** The random stream chooses what is not given. @param door where devices connect */
export function randomTopology(random: Random, members: 1 | 3, nodes?: number, door?: string): TopologySpec {
  const proxied = random.next() < 0.5 || members === 1;
  const movableClock = random.next() < 0.3 && canMoveClock();
  const full = { quotaBytes: LARGE_QUOTA, env: { UMBRA_ETCD_QUOTA_BYTES: String(88 << 20) } };
  const drawn = random.next() < 0.25 && hasMosquitto() ? 'mosquitto' : 'built-in';
  const broker = (door as TopologySpec['broker'] | undefined) ?? drawn;
  // Only the member that is filled is made smaller again. Behind mosquitto a full etcd keeps no cursors, and the compaction
  // that makes room then takes what was not published yet: docs/external-broker.md.
  const quota = random.next() < 0.3 && members === 1 && broker === 'built-in' ? full : {};
  return { ...DEFAULT_TOPOLOGY, members, nodes: nodes ?? random.int(1, 3), broker, proxied, movableClock, ...quota };
}

/** One to three faults, any that the topology can have. The random stream is the whole plan. */
export function randomScenario(name: string, topology: TopologySpec, random: Random, namespaces: boolean): Scenario {
  const choices = (Object.keys(FAULTS) as FaultName[]).filter((fault) => {
    const { special } = { special: false, ...faultOf(fault) };
    return !special && fault !== 'none' && impossible(faultOf(fault), topology, namespaces) === null;
  });
  const steps = Array.from({ length: random.int(1, 3) }, () => ({
    fault: random.pick(choices),
    after: random.int(300, 2_500),
    hold: random.int(200, 5_000),
  }));
  const traffic = { shadows: random.int(2, 8), intervalMs: random.int(20, 80) };
  return { name, topology, steps, traffic };
}
