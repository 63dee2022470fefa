import { setTimeout as pause } from 'node:timers/promises';
import { canMoveClock, moveClock } from './fake-clock.js';
import type { History } from '../model/history.js';
import { PROMISES } from '../validate/promises.js';
import type { Random } from '../plans/random.js';
import type { Traffic } from '../actors/traffic.js';
import type { LabNode, Topology } from '../topology.js';
import { compactWhileAway, reconnectStorm, silentDevices, slowDevices, startWithoutStorage } from './client-faults.js';
import { cutOffHolder, stopBroker } from './cut-off-node.js';
import { doubtAndCompaction } from './doubt.js';
import { addUser } from './etcd-users.js';
import { fullWithStreams } from './full-storage.js';
import { quietFleet } from './quiet-fleet.js';
import { silentReaders } from './silent-readers.js';
import { fillDisk, fillQuota } from './storage-faults.js';

export interface FaultContext {
  readonly topology: Topology;
  readonly history: History;
  /** null where nothing but one device is at work. */
  readonly traffic: Traffic | null;
  readonly random: Random;
  /** Of things of this run. */
  readonly prefix: string;
}

/** Ends what a fault did. */
export type Heal = () => Promise<void>;

export interface Fault {
  /** What it cannot do without; scenarios that cannot have it are skipped by name. */
  readonly needs?:
    'users' | 'namespaces' | 'proxy' | 'clock' | 'two-nodes' | 'quota' | 'small-disk' | 'one-member' | 'mosquitto';
  /** No node can serve while it lasts. */
  readonly cutsStorage?: boolean;
  /** Readers may have to load the present state anew. */
  readonly reloads?: boolean;
  /** Only in scenarios of its own. */
  readonly special?: boolean;
  apply(context: FaultContext): Promise<Heal>;
}

const nothing: Heal = () => Promise.resolve();

/** A member by its part. With one member that is the one. */
async function member(topology: Topology, part: 'leader' | 'follower', random: Random): Promise<number> {
  const leader = await topology.leader();
  if (part === 'leader' || topology.members.length === 1) return leader;
  return random.pick(topology.members.map((_, i) => i).filter((i) => i !== leader));
}

function kill(part: 'leader' | 'follower'): Fault['apply'] {
  return async ({ topology, random }) => {
    const at = topology.members[await member(topology, part, random)]!;
    await at.kill9();
    return () => at.restart();
  };
}

function freeze(part: 'leader' | 'follower'): Fault['apply'] {
  return async ({ topology, random }) => {
    const at = topology.members[await member(topology, part, random)]!;
    at.pause();
    return async () => at.resume();
  };
}

/** Rules on the host of one member. `peers` and `clients` are addresses. */
type Rules = (peers: readonly string[], client: string) => readonly (readonly string[])[];

const drop = (chain: string, flag: string, address: string): string[] => ['-A', chain, flag, address, '-j', 'DROP'];
const both = (address: string): string[][] => [drop('INPUT', '-s', address), drop('OUTPUT', '-d', address)];

function isolate(part: 'leader' | 'follower', rules: Rules): Fault['apply'] {
  return async ({ topology, random }) => {
    const { spaces } = topology;
    if (!spaces) throw new Error('no namespaces');
    const at = await member(topology, part, random);
    const peers = topology.members.map((_, i) => i).filter((i) => i !== at);
    for (const rule of rules(
      peers.map((i) => spaces.address(i)),
      spaces.here,
    ))
      spaces.iptables(at, ...rule);
    return async () => spaces.flush(at);
  };
}

const FULL: Rules = (peers, client) => [...peers, client].flatMap(both);
const PEERS: Rules = (peers) => peers.flatMap(both);
const CLIENTS: Rules = (_peers, client) => both(client);
/** It can be heard by its peers, and hears nothing of them. */
const DEAF: Rules = (peers) => peers.map((peer) => drop('INPUT', '-s', peer));

/** 2 % of all packets, by netfilter: not every kernel has netem. */
const LOSSY: readonly string[] = '-A INPUT -m statistic --mode random --probability 0.02 -j DROP'.split(' ');

async function slowNetwork({ topology }: FaultContext): Promise<Heal> {
  for (const proxy of topology.proxies) proxy.latency(100);
  topology.members.forEach((_, i) => topology.spaces?.iptables(i, ...LOSSY));
  return async () => {
    for (const proxy of topology.proxies) proxy.latency(0);
    topology.members.forEach((_, i) => topology.spaces?.flush(i));
  };
}

function proxies(mode: 'blackhole' | 'lose-responses' | 'refuse'): Fault['apply'] {
  return async ({ topology }) => {
    for (const proxy of topology.proxies) proxy.set(mode);
    return async () => {
      for (const proxy of topology.proxies) {
        proxy.set('pass');
        // Connections that lost bytes are broken for good.
        proxy.cutAll();
      }
    };
  };
}

/** The connection ends instead of the next response, again and again: what was asked was done, and nobody is told. */
async function losesResponses({ topology }: FaultContext): Promise<Heal> {
  const timer = setInterval(() => {
    for (const proxy of topology.proxies) if (proxy.mode === 'pass') proxy.set('cut-on-response');
  }, 120);
  return async () => {
    clearInterval(timer);
    for (const proxy of topology.proxies) proxy.set('pass');
  };
}

function onNode(act: (node: LabNode) => Promise<Heal>): Fault['apply'] {
  return ({ topology, random }) => act(random.pick(topology.nodes));
}

async function rolling({ topology }: FaultContext): Promise<Heal> {
  for (const node of topology.nodes) {
    await node.terminate();
    await node.start();
  }
  for (const at of topology.members) {
    await at.restart();
    await pause(500);
  }
  return nothing;
}

/** SIGTERM writes its sessions down; SIGKILL loses what came since it last did. */
function endBroker(signal: 'SIGKILL' | 'SIGTERM'): Fault['apply'] {
  return async ({ topology: { broker } }) => {
    if (!broker) throw new Error('no mosquitto');
    if (signal === 'SIGKILL') await broker.kill9();
    else process.kill(broker.pid, signal);
    return () => broker.restart();
  };
}

async function killQuorum({ topology }: FaultContext): Promise<Heal> {
  const victims = topology.members.slice(0, Math.ceil(topology.members.length / 2));
  await Promise.all(victims.map((victim) => victim.kill9()));
  return async () => void (await Promise.all(victims.map((victim) => victim.restart())));
}

function jumpClock(seconds: number): Fault['apply'] {
  return onNode(async (node) => {
    moveClock(node.clockFile, seconds);
    return async () => moveClock(node.clockFile, 0);
  });
}

/** Milliseconds for an answer beyond what a request may take (5 s unless configured). */
const ANSWERED_MS = 9_000;

/** etcd is away, and the wall clock goes back an hour: an update that waits must be answered when its time is over. */
async function jumpWithoutStorage({ topology, history, random, prefix }: FaultContext): Promise<Heal> {
  const node = random.pick(topology.nodes);
  for (const proxy of topology.proxies) proxy.set('blackhole');
  const from = history.now();
  const body = JSON.stringify({ state: { desired: { waits: true } } });
  const url = `${node.httpUrl}/v1/things/${prefix}waits/shadow`;
  const answer = fetch(url, { method: 'PATCH', body, signal: AbortSignal.timeout(ANSWERED_MS) }).then(
    ({ status }) => status,
    () => null,
  );
  await pause(500);
  moveClock(node.clockFile, -3600);
  const status = await answer;
  const took = Math.round(history.now() - from);
  history.faults.push({ fault: `an update without etcd was answered ${status}`, from, to: history.now() });
  if (status === null)
    history.remarks.push({ promise: PROMISES.answered, text: `an update had no answer after ${took} ms` });
  return async () => {
    moveClock(node.clockFile, 0);
    for (const proxy of topology.proxies) proxy.set('pass');
    for (const proxy of topology.proxies) proxy.cutAll();
  };
}

/** One node loses etcd; the others have it. */
function cutOff({ topology, random }: FaultContext): Promise<Heal> {
  const { proxies } = random.pick(topology.nodes);
  const mode = random.pick(['refuse', 'blackhole'] as const);
  for (const proxy of proxies) proxy.set(mode);
  return Promise.resolve(async () => {
    for (const proxy of proxies) proxy.set('pass');
    for (const proxy of proxies) proxy.cutAll();
  });
}

export const FAULTS = {
  none: { apply: () => Promise.resolve(nothing) },
  'kill-leader': { apply: kill('leader') },
  'kill-follower': { apply: kill('follower') },
  'stop-leader': { apply: freeze('leader') },
  'stop-follower': { apply: freeze('follower') },
  'kill-quorum': { cutsStorage: true, apply: killQuorum },
  'partition-leader': { needs: 'namespaces', apply: isolate('leader', FULL) },
  'partition-follower': { needs: 'namespaces', apply: isolate('follower', FULL) },
  'partition-leader-peers': { needs: 'namespaces', apply: isolate('leader', PEERS) },
  'partition-leader-one-way': { needs: 'namespaces', apply: isolate('leader', DEAF) },
  'blackhole-leader': { needs: 'namespaces', apply: isolate('leader', CLIENTS) },
  blackhole: { needs: 'proxy', cutsStorage: true, apply: proxies('blackhole') },
  'no-responses': { needs: 'proxy', cutsStorage: true, apply: proxies('lose-responses') },
  refused: { needs: 'proxy', cutsStorage: true, apply: proxies('refuse') },
  'response-lost': { needs: 'proxy', apply: losesResponses },
  'slow-network': { needs: 'proxy', apply: slowNetwork },
  'kill-node': {
    apply: onNode(async (node) => {
      await node.kill9();
      return () => node.start();
    }),
  },
  'stop-node': {
    apply: onNode(async (node) => {
      node.signal('SIGSTOP');
      return async () => node.signal('SIGCONT');
    }),
  },
  'terminate-node': {
    apply: onNode(async (node) => {
      await node.terminate();
      return () => node.start();
    }),
  },
  'rolling-restart': { apply: rolling },
  'compaction-while-away': { needs: 'proxy', reloads: true, apply: compactWhileAway },
  'clock-forward': { needs: 'clock', apply: jumpClock(3600) },
  'clock-back': { needs: 'clock', apply: jumpClock(-3600) },
  'clock-days-forward': { needs: 'clock', apply: jumpClock(49 * 3600) },
  'clock-days-back': { needs: 'clock', apply: jumpClock(-50 * 3600) },
  'clock-back-without-storage': { needs: 'clock', special: true, apply: jumpWithoutStorage },
  'quiet-fleet': { special: true, apply: quietFleet },
  'full-with-streams': { needs: 'quota', special: true, apply: fullWithStreams },
  'user-added': { needs: 'users', special: true, apply: addUser },
  'cut-off-holder': { needs: 'mosquitto', special: true, apply: cutOffHolder },
  'stop-broker': { needs: 'mosquitto', apply: stopBroker },
  'silent-readers': { special: true, apply: silentReaders },
  'doubt-and-compaction': { needs: 'proxy', special: true, reloads: true, apply: doubtAndCompaction },
  'cut-off-node': { needs: 'proxy', apply: cutOff },
  'start-without-storage': { needs: 'proxy', special: true, apply: startWithoutStorage },
  'silent-devices': { special: true, apply: silentDevices },
  'reconnect-storm': { special: true, apply: reconnectStorm },
  'kill-broker': { needs: 'mosquitto', apply: endBroker('SIGKILL') },
  'terminate-broker': { needs: 'mosquitto', apply: endBroker('SIGTERM') },
  'slow-devices': { apply: slowDevices },
  'quota-alarm': { needs: 'quota', apply: fillQuota },
  'disk-full': { needs: 'small-disk', special: true, apply: fillDisk },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

export function faultOf(name: FaultName): Fault {
  return FAULTS[name];
}

/** Why a topology cannot have a fault, or null. */
export function impossible(fault: Fault, topology: Topology['spec'], namespaces: boolean): string | null {
  switch (fault.needs) {
    case 'namespaces':
      return topology.members > 1 && namespaces ? null : 'needs three members in network namespaces';
    case 'proxy':
      return topology.proxied ? null : 'needs proxies';
    case 'clock':
      return topology.movableClock && canMoveClock() ? null : 'needs libfaketime';
    case 'two-nodes':
      return topology.nodes > 1 ? null : 'needs two nodes';
    case 'users':
      return topology.users === undefined ? 'needs users of etcd' : null;
    case 'quota':
      return topology.quotaBytes === undefined ? 'needs a quota' : null;
    case 'small-disk':
      return topology.diskBytes === undefined ? 'needs a small disk' : null;
    case 'mosquitto':
      return topology.broker === 'mosquitto' ? null : 'needs mosquitto';
    case 'one-member':
      return topology.members === 1 ? null : 'needs one member';
    default:
      return null;
  }
}
