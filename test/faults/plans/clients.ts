import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { TcpProxy } from '../../harness/tcp-proxy.js';
import { EtcdRecorder } from '../actors/etcd-recorder.js';
import { LibraryProcess, type ProcessSpec } from '../actors/library-process.js';
import { askReady } from '../actors/rest-caller.js';
import { PATH_FAULTS, type PathFault } from '../faults/path-faults.js';
import { ClientHistory } from '../model/client-history.js';
import { History } from '../model/history.js';
import { difference } from '../model/model.js';
import { say } from '../report.js';
import type { Result } from '../run-scenario.js';
import { Topology, type LabNode, type TopologySpec } from '../topology.js';
import { judgeClients } from '../validate/clients.js';
import { reporter } from '../validate/findings.js';
import { LAB_RUNS, PROMISES, type Violation } from '../validate/promises.js';
import { libraryOf } from './library-of.js';
import { CLIENTS } from './plan-names.js';
import { Random } from './random.js';

export interface ClientsOptions {
  readonly minutes: number;
}

export const USUAL_CLIENTS: ClientsOptions = { minutes: 1 };

/** Milliseconds between two faults, for which one lasts, and in which all is whole again afterwards. */
const BETWEEN_MS = [500, 4_000] as const;
const HOLD_MS = [500, 9_000] as const;
const BOUND_MS = 60_000;

const NODE_FAULTS = ['node killed', 'node terminated', 'node frozen', 'devices killed'] as const;
type NodeFault = (typeof NODE_FAULTS)[number];

interface Stage {
  readonly topology: Topology;
  readonly lab: History;
  readonly history: ClientHistory;
  readonly recorder: EtcdRecorder;
  readonly random: Random;
  /** Before the nodes, as a balancer: each connection goes to one of them. */
  readonly proxies: readonly TcpProxy[];
  readonly processes: readonly LibraryProcess[];
  readonly until: number;
}

/** Devices and applications of the client library, while nodes, paths and processes fail at random. */
export async function runClients(seed: number, { minutes }: ClientsOptions, main?: string): Promise<Result> {
  const lab = new History();
  const env = { UMBRA_PRESENCE_FENCE: 'true' };
  const spec: TopologySpec = { members: 1, nodes: 2, broker: 'built-in', proxied: false, timers: 'default', env };
  const topology = await Topology.start({ ...spec, ...(main === undefined ? {} : { main }) }, lab);
  const outboxes = await mkdtemp(join(tmpdir(), 'umbra-lab-outboxes-'));
  const random = new Random(seed);
  const proxies: TcpProxy[] = [];
  const history = new ClientHistory();
  const endpoints = topology.members.map(({ endpoint }) => endpoint);
  const recorder = new EtcdRecorder(endpoints, (commit) => history.commit(commit));
  try {
    recorder.start();
    const ports = { mqtt: topology.doors.map(({ port }) => port), http: topology.nodes.map(httpPort) };
    const choice = random.fork('balancer');
    for (const door of ['mqtt', 'mqtt', 'mqtt', 'http', 'http'] as const)
      proxies.push(await TcpProxy.start(() => choice.pick(ports[door])));
    const specs = processSpecs(seed, proxies, pathToFileURL(await libraryOf(main)).href, outboxes);
    const processes = Object.entries(specs).map(([name, each]) => new LibraryProcess(name, each, history));
    const until = performance.now() + minutes * 60_000;
    const stage = { topology, lab, history, recorder, random: random.fork('plan'), proxies, processes, until };
    return await play(stage, seed);
  } finally {
    await recorder.stop();
    await topology.stop();
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await rm(outboxes, { recursive: true, force: true });
  }
}

const httpPort = ({ httpUrl }: LabNode): number => Number(new URL(httpUrl).port);

/** Two processes: one that lasts, with applications; and one that is killed, whose devices have outboxes. */
function processSpecs(seed: number, proxies: readonly TcpProxy[], library: string, outboxes: string) {
  const lamp = (i: number, more: Partial<ProcessSpec['lamps'][number]> = {}): ProcessSpec['lamps'][number] => ({
    thing: `c${seed.toString(36)}-${i}`,
    url: `mqtt://127.0.0.1:${proxies[i % 3]!.port}`,
    ...{ protocolVersion: 5, sessionSeconds: 3_600, maxWaiting: 262_144, ...more },
  });
  const urls = proxies.slice(3).map(({ endpoint }) => endpoint);
  const lasting = [lamp(0), lamp(1, { sessionSeconds: 0 }), lamp(2, { protocolVersion: 4, maxWaiting: 500 })];
  const killed = [lamp(3), lamp(4, { protocolVersion: 4 }), lamp(5, { sessionSeconds: 5 })];
  return {
    lasting: { library, seed, lamps: lasting, urls, outboxes: null },
    killed: { library, seed, lamps: killed, urls: [], outboxes },
  } satisfies Record<string, ProcessSpec>;
}

async function play(stage: Stage, seed: number): Promise<Result> {
  const { processes } = stage;
  const leaks: string[] = [];
  try {
    for (const each of processes) each.start();
    await disturb(stage);
    for (const each of processes) each.rest();
    await settle(stage);
    for (const each of processes) {
      const leaving = each.leave();
      // Those of fetch stay open for a while.
      for (const proxy of stage.proxies.slice(3)) proxy.cutAll();
      leaks.push(...(await leaving).map((leak) => `${each.name}: ${leak}`));
    }
  } finally {
    await Promise.all(processes.map((each) => each.kill()));
  }
  return verdictOf(stage, seed, leaks);
}

async function disturb(stage: Stage): Promise<void> {
  const { random, until, lab } = stage;
  const names = [...(Object.keys(PATH_FAULTS) as PathFault[]), ...NODE_FAULTS];
  // Each fault once before any comes again, in an order of chance.
  for (let left = [...names]; performance.now() < until; left = left.length > 0 ? left : [...names]) {
    await pause(random.int(...BETWEEN_MS));
    const [fault] = left.splice(random.int(0, left.length - 1), 1);
    const from = lab.now();
    await apply(stage, fault!, random.int(...HOLD_MS));
    lab.faults.push({ fault: fault!, from, to: lab.now() });
    say(`      ${fault} for ${Math.round(lab.now() - from)} ms`);
  }
}

async function apply(stage: Stage, fault: PathFault | NodeFault, holdMs: number): Promise<void> {
  const { random, proxies, topology, processes } = stage;
  const node = random.pick(topology.nodes);
  switch (fault) {
    case 'node killed':
      await node.kill9();
      await pause(holdMs);
      return node.start();
    case 'node terminated':
      await node.terminate();
      await pause(holdMs);
      return node.start();
    case 'node frozen':
      node.signal('SIGSTOP');
      await pause(holdMs);
      return node.signal('SIGCONT');
    case 'devices killed':
      await processes[1]!.kill();
      return processes[1]!.start();
    default: {
      const some = proxies.filter(() => random.next() < 0.6);
      const heal = PATH_FAULTS[fault]({ proxies: some.length > 0 ? some : proxies, random: random.fork(fault) });
      await pause(holdMs);
      return heal();
    }
  }
}

/** Until every call has ended, what is desired is reported, and no more is written. */
async function settle({ topology, history, recorder, lab }: Stage): Promise<void> {
  const from = lab.now();
  const isLate = (): boolean => lab.now() - from > BOUND_MS;
  for (const { index, httpUrl } of topology.nodes) {
    while ((await askReady(httpUrl)) !== true && !isLate()) await pause(100);
    lab.ready.push({ node: index, at: lab.now(), ready: await askReady(httpUrl) });
  }
  let last = -1;
  while ((history.open.length > 0 || !isSettled(history) || last !== recorder.position) && !isLate()) {
    last = recorder.position;
    await pause(1_000);
  }
  if (recorder.fault !== null) throw new Error(recorder.fault);
}

const isSettled = ({ commits }: ClientHistory): boolean =>
  [...commits.values()].every((all) => {
    const last = all.at(-1);
    return !last || last.deleted || difference(last.desired, last.reported) === null;
  });

function verdictOf({ lab, history }: Stage, seed: number, leaks: readonly string[]): Result {
  const violations: Violation[] = [];
  const report = reporter(violations);
  for (const { promise, text } of lab.remarks) report(promise, text);
  for (const { node, ready } of lab.ready) if (ready !== true) report(PROMISES.ready, `node ${node} is not ready`);
  for (const leak of leaks) report(PROMISES.clientLeaks, leak);
  judgeClients(history, report);
  for (const kind of ['report', 'read', 'desire', 'increment', 'converge'] as const)
    if (!history.calls.some((call) => call.kind === kind && call.end?.error === null))
      report(LAB_RUNS, `no ${kind} has succeeded`);
  const faults = lab.faults.map(({ fault, from, to }) => `${fault} for ${Math.round(to - from)} ms`);
  return { scenario: CLIENTS, seed, violations, skipped: null, figures: null, faults: [...faults, ...about(history)] };
}

/** How often each kind of call has ended how. */
function about({ calls, commits, runs }: ClientHistory): readonly string[] {
  const counts = new Map<string, number>();
  for (const { kind, end, killedAt } of calls) {
    const how =
      killedAt !== null ? 'killed' : !end ? 'open' : end.error ? `${end.error.code} (${end.error.outcome})` : 'ok';
    counts.set(`${kind} ${how}`, (counts.get(`${kind} ${how}`) ?? 0) + 1);
  }
  const stored = [...commits.values()].reduce((sum, all) => sum + all.length, 0);
  const sorted = [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([what, count]) => `${what}: ${count}`);
  return [`${stored} commits`, `${runs} runs of handlers`, ...sorted];
}
