import { setTimeout as pause } from 'node:timers/promises';
import { Administrator, WAYS } from '../actors/access-administrator.js';
import { Intruder, KeyDevice } from '../actors/access-actors.js';
import { AccessHistory, type Away } from '../model/access-history.js';
import { History } from '../model/history.js';
import type { Result } from '../run-scenario.js';
import { Topology, type LabNode, type TopologySpec } from '../topology.js';
import { IN_FORCE_MS, judgeAccess } from '../validate/access.js';
import { PROMISES } from '../validate/promises.js';
import { Random } from './random.js';
import { firstKey, withMasterKey } from './secured-nodes.js';

/** Milliseconds between a change and the next one, in which it must be in force and be seen to be. */
const SETTLED_MS = IN_FORCE_MS + 900;
/** Milliseconds without etcd: health speaks of the age of the rules after 15 s. */
const LONG_AWAY_MS = 18_000;
/** Milliseconds for a process to ask for etcd, and how long it then finds none. */
const STARTS_MS = 60_000;
const WITHOUT_ETCD_MS = 6_000;
/** Milliseconds for a node to hear etcd again, and after which it is judged as if it had. */
const HEARS_MS = 20_000;
const HEARD_MS = 3_000;
/** Of a time in which a node is away. */
const OPEN_ENDED = { reachable: Infinity, to: Infinity } as const;

/** One run: nodes that ask for credentials, those who may, those who may not, and who decides that. */
interface Stage {
  readonly topology: Topology;
  readonly history: AccessHistory;
  /** For remarks. */
  readonly lab: History;
  readonly random: Random;
  readonly administrator: Administrator;
  /** Their rights are withdrawn and given back, each in another way. */
  readonly devices: readonly KeyDevice[];
}

interface AccessPlan {
  readonly topology: Partial<TopologySpec>;
  play(stage: Stage): Promise<void>;
}

const PLANS: Readonly<Record<string, AccessPlan>> = {
  'access: etcd away': { topology: { members: 1 }, play: etcdAway },
  'access: leader killed': { topology: { members: 3, proxied: false }, play: leaderKilled },
  'access: a node cut off': { topology: { members: 1 }, play: nodeCutOff },
  'access: a node starts without etcd': { topology: { members: 1 }, play: startWithoutEtcd },
};

export const ACCESS: readonly string[] = Object.keys(PLANS);

/** @returns what was seen; the promises are judged from every single attempt */
export async function runAccess(name: string, seed: number, main?: string): Promise<Result> {
  const plan = PLANS[name];
  if (!plan) throw new Error(`no scenario ${name}`);
  return withMasterKey(async (env) => {
    const usual = { members: 1, nodes: 2, broker: 'built-in', proxied: true, timers: 'default' } as const;
    const lab = new History();
    const spec = { ...usual, ...plan.topology, env, ...(main === undefined ? {} : { main }) };
    const topology = await Topology.start(spec, lab);
    try {
      return await playOn(topology, lab, { name, seed, plan });
    } finally {
      await topology.stop();
    }
  });
}

interface Play {
  readonly name: string;
  readonly seed: number;
  readonly plan: AccessPlan;
}

async function playOn(topology: Topology, lab: History, { name, seed, plan }: Play): Promise<Result> {
  const random = new Random(seed);
  const history = new AccessHistory();
  const { nodes } = topology;
  const administrator = new Administrator(history, nodes, random.fork('admin'), await firstKey(nodes));
  const [keeper, gone, ...devices] = ['keeper', 'gone', ...WAYS].map((thing) => new KeyDevice(history, nodes, thing));
  if (!keeper || !gone) throw new Error('no devices');
  await administrator.make(keeper, null);
  await administrator.make(gone, 'key');
  for (const [i, device] of devices.entries()) await administrator.make(device, WAYS[i] ?? 'key');
  const { key: withdrawnKey } = gone;
  await administrator.withdraw(gone);
  history.changes.delete(gone.thing);
  await pause(SETTLED_MS);
  const intruder = new Intruder(history, nodes, keeper, withdrawnKey, random.fork('intruder'));
  const actors = [keeper, ...devices, intruder];
  for (const actor of actors) actor.start();
  try {
    await pause(1_500);
    await plan.play({ topology, history, lab, random: random.fork('plan'), administrator, devices });
    await everyOther(devices, 0, 1, (device) => restored(history, administrator, device));
    await pause(3_500);
  } catch (error) {
    lab.remarks.push({ promise: PROMISES.serves, text: String(error).slice(0, 400) });
  } finally {
    await Promise.all(actors.map((actor) => actor.stop()));
  }
  const { violations, withdrawals, longestMs, longestReachableMs, attempts } = judgeAccess(history);
  const { allowed, refused, intruding } = attempts;
  const away = history.away.map(({ node, kind, from, to }) => `node ${node} ${kind} for ${Math.round(to - from)} ms`);
  const tried = `${allowed} allowed, ${refused} refused, ${intruding} by intruders`;
  const cut = longestReachableMs === null ? '' : `, ${longestReachableMs} ms where etcd had to come back`;
  const inForce = `${withdrawals} withdrawals, in force after ${longestMs} ms at most${cut}`;
  const faults = [...away, tried, inForce];
  return { scenario: name, seed, violations: [...lab.remarks, ...violations], skipped: null, figures: null, faults };
}

async function everyOther(
  devices: readonly KeyDevice[],
  first: number,
  step: number,
  act: (device: KeyDevice) => Promise<void>,
): Promise<void> {
  for (let i = first; i < devices.length; i += step) await act(devices[i] as KeyDevice);
}

async function restored(history: AccessHistory, administrator: Administrator, device: KeyDevice): Promise<void> {
  if (history.changes.get(device.thing)?.at(-1)?.isGiven === false) await administrator.giveBack(device);
}

/** Each device once loses what it may, in an order of chance, and gets it back. */
async function round({ administrator, devices, random }: Stage): Promise<void> {
  const waiting = [...devices];
  while (waiting.length > 0) {
    const [device] = waiting.splice(random.int(0, waiting.length - 1), 1) as [KeyDevice];
    await administrator.withdraw(device);
    await pause(SETTLED_MS);
    await administrator.giveBack(device);
  }
  await pause(SETTLED_MS);
}

/** From when a node is cut off until it answers by what etcd says. */
async function cut(stage: Stage, nodes: readonly LabNode[], hold: () => Promise<void>): Promise<void> {
  const { history, random } = stage;
  const mode = random.pick(['refuse', 'blackhole'] as const);
  const spans = nodes.map(({ index }): Away => ({ node: index, kind: 'cut', from: history.now(), ...OPEN_ENDED }));
  for (const { proxies } of nodes) for (const proxy of proxies) proxy.set(mode);
  history.away.push(...spans);
  await hold();
  for (const { proxies } of nodes) for (const proxy of proxies) proxy.set('pass');
  for (const { proxies } of nodes) for (const proxy of proxies) proxy.cutAll();
  for (const span of spans) span.reachable = history.now();
  await Promise.all(
    nodes.map(async (node, i) => {
      const span = spans[i] as Away;
      await Promise.race([hears(stage, node), pause(HEARD_MS)]);
      span.to = history.now();
    }),
  );
  await Promise.all(nodes.map((node) => hears(stage, node)));
}

/** Until it serves a read, for which it needs etcd, and says that its rules are current. */
async function hears({ history, lab, administrator }: Stage, node: LabNode): Promise<void> {
  for (const from = history.now(); history.now() - from < HEARS_MS; await pause(20)) {
    if ((await administrator.canRead(node)) && (await rulesOf(node)).ok) return;
  }
  lab.remarks.push({ promise: PROMISES.serves, text: `node ${node.index} does not hear etcd ${HEARS_MS} ms after` });
}

/** Half of the devices have lost their rights before; nothing can be changed meanwhile, and nothing may change. */
async function etcdAway(stage: Stage): Promise<void> {
  const { topology, devices, administrator } = stage;
  await everyOther(devices, stage.random.int(0, 1), 2, (device) => administrator.withdraw(device));
  await pause(SETTLED_MS);
  await cut(stage, topology.nodes, async () => {
    await pause(LONG_AWAY_MS);
    for (const node of topology.nodes) await saysAge(stage, node);
  });
  await everyOther(devices, 0, 1, (device) => restored(stage.history, administrator, device));
  await pause(SETTLED_MS);
  await round(stage);
}

async function leaderKilled(stage: Stage): Promise<void> {
  const { topology } = stage;
  for (let i = 0; i < 2; i++) {
    const member = topology.members[await topology.leader()];
    if (!member) throw new Error('no member');
    const killed = pause(500).then(async () => {
      const shaken = topology.nodes.map((node) => isShaken(stage, node));
      await member.kill9();
      await Promise.all(shaken);
    });
    await Promise.all([round(stage), killed]);
    await member.restart();
  }
}

/** What changes until it serves reads again it may hear of a little later. */
async function isShaken({ history, administrator }: Stage, node: LabNode): Promise<void> {
  const span: Away = { node: node.index, kind: 'shaken', from: history.now(), ...OPEN_ENDED };
  history.away.push(span);
  // The member is gone by then.
  await pause(100);
  while (!(await administrator.canRead(node)) && history.now() - span.from < HEARS_MS) await pause(20);
  span.reachable = history.now();
  await pause(HEARD_MS);
  span.to = history.now();
}

/** What is withdrawn elsewhere meanwhile it cannot know; once it hears etcd, it must. */
async function nodeCutOff(stage: Stage): Promise<void> {
  const { topology, administrator, devices } = stage;
  const [lonely, other] = topology.nodes;
  if (!lonely || !other) throw new Error('needs two nodes');
  administrator.nodes = [other];
  await cut(stage, [lonely], async () => {
    await pause(1_000);
    await everyOther(devices, 0, 1, (device) => administrator.withdraw(device));
    await pause(LONG_AWAY_MS);
    await saysAge(stage, lonely);
  });
  await pause(SETTLED_MS + 500);
  administrator.nodes = topology.nodes;
}

/** It ends, rights are withdrawn at the other one, and it starts while it cannot reach etcd. */
async function startWithoutEtcd(stage: Stage): Promise<void> {
  const { topology, administrator, devices, history } = stage;
  const [node, other] = topology.nodes;
  if (!node || !other) throw new Error('needs two nodes');
  administrator.nodes = [other];
  const down: Away = { node: node.index, kind: 'down', from: history.now(), ...OPEN_ENDED };
  history.away.push(down);
  await node.kill9();
  await everyOther(devices, 0, 1, (device) => administrator.withdraw(device));
  for (const proxy of node.proxies) proxy.set('refuse');
  const tries = (): number => node.proxies.reduce((sum, { connections }) => sum + connections, 0);
  const before = tries();
  const started = node.start();
  // A busy machine takes seconds until the process is there.
  while (tries() === before && history.now() - down.from < STARTS_MS) await pause(50);
  await pause(WITHOUT_ETCD_MS);
  for (const proxy of node.proxies) proxy.set('pass');
  await started;
  down.to = history.now();
  await pause(SETTLED_MS);
  administrator.nodes = topology.nodes;
}

async function saysAge({ lab }: Stage, node: LabNode): Promise<void> {
  const { ready, ok, reason } = await rulesOf(node);
  const seconds = Number(/those of (\d+) s ago/.exec(reason)?.[1]);
  // A watch is proven current every few seconds.
  const isTrue = seconds * 1_000 >= LONG_AWAY_MS - 3_000 && seconds * 1_000 <= LONG_AWAY_MS + 15_000;
  if (ready || ok || !isTrue)
    lab.remarks.push({ promise: PROMISES.age, text: `node ${node.index} says ready ${ready}, rules: ${reason}` });
}

/** Health is asked from loopback, and so has the reasons. */
async function rulesOf(node: LabNode): Promise<{ ready: boolean; ok: boolean; reason: string }> {
  const answer = await fetch(`${node.httpUrl}/health/ready`, { signal: AbortSignal.timeout(8_000) });
  const { parts } = (await answer.json()) as { parts: Record<string, { ok: boolean; reason: string }> };
  return { ready: answer.status === 200, ...(parts['access'] ?? { ok: true, reason: 'no such part' }) };
}
