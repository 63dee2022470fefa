import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { compile } from '../../bench/compile.js';
import { hasHaproxy, startHaproxy, type Balancer } from '../../harness/haproxy.js';
import { Fleet } from '../actors/fleet.js';
import { Traffic } from '../actors/traffic.js';
import { History } from '../model/history.js';
import { percentile } from '../report.js';
import { verdict, type Result } from '../run-scenario.js';
import { Topology, type LabNode } from '../topology.js';
import { LAB_RUNS, PROMISES, type Violation } from '../validate/promises.js';
import { validate } from '../validate/validate.js';
import { ROLLOUT } from './plan-names.js';
import { Random } from './random.js';

export interface RolloutOptions {
  readonly devices: number;
  /** Milliseconds between two updates of one device. */
  readonly intervalMs: number;
  /** Seconds; UMBRA_DRAIN_SPREAD_MS. */
  readonly spread: number;
  /** A revision of git: nodes of it are replaced by those of the working tree, and these by those of it again. */
  readonly before?: string;
  /** Seconds for which two versions serve side by side after each node that is replaced. */
  readonly mixed: number;
}

export const USUAL_ROLLOUT: RolloutOptions = { devices: 1_000, intervalMs: 10_000, spread: 5, mixed: 60 };

/** With a few devices, for the matrix and the mutations. */
export const SMALL_ROLLOUT: RolloutOptions = { ...USUAL_ROLLOUT, devices: 60, intervalMs: 2_000 };

const NODES = 3;
/** Seconds. Other values need their variable, which earlier versions refuse. */
const DEFAULT_SPREAD = 5;
/** What the node logs as the reason of each connection that it closes at its end. */
const SHUTTING_DOWN = 'the node is shutting down';
/** Milliseconds at most that a drain spends on one connection. */
const EACH_MS = 20;
/** Milliseconds of the promise of an even drain. */
const WINDOW_MS = 100;
/** Bytes that a node may take with a thousand devices. */
const MAX_MEMORY = 600e6;
/** Milliseconds after which the balancer knows of a node that has come back. */
const SEEN_MS = 1_500;

interface Stage {
  readonly topology: Topology;
  readonly history: History;
  readonly fleet: Fleet;
  readonly options: RolloutOptions;
  readonly violations: Violation[];
  readonly about: string[];
}

/** Restarts all nodes one after the other under a fleet that is connected through haproxy, and evens it out afterwards. */
export async function runRollout(seed: number, options: RolloutOptions, main?: string): Promise<Result> {
  const about = { scenario: ROLLOUT, seed };
  if (!hasHaproxy())
    return { ...about, violations: [], skipped: 'needs haproxy (Debian: haproxy)', figures: null, faults: [] };
  const history = new History();
  const folder = options.before === undefined ? null : compile(process.cwd(), options.before);
  const older = folder === null ? undefined : join(folder, 'src', 'main.js');
  // Each connection that ends is a line of the log, with its time: a busy lab sees several of them at once.
  const env = { UMBRA_LOG_LEVEL: 'debug', ...(options.spread !== DEFAULT_SPREAD && spreadOver(options.spread)) };
  const spec = { members: 1, nodes: NODES, broker: 'built-in', proxied: false, timers: 'default', env } as const;
  const first = older ?? main;
  const topology = await Topology.start({ ...spec, ...(first !== undefined && { main: first }) }, history);
  let balancer: Balancer | null = null;
  try {
    const backends = topology.nodes.map((each) => ({
      ...{ name: `n${each.index}`, port: each.mqttPort, healthPort: each.httpPort },
    }));
    balancer = await startHaproxy(backends, options.devices * 2 + 100);
    return await playOn(topology, history, balancer, seed, options, older);
  } finally {
    await topology.stop();
    await balancer?.stop();
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  }
}

async function playOn(
  topology: Topology,
  history: History,
  balancer: Balancer,
  seed: number,
  options: RolloutOptions,
  older: string | undefined,
): Promise<Result> {
  const prefix = `r${seed.toString(36)}`;
  const fleetHistory = new History();
  const traffic = new Traffic(topology, history, new Random(seed), prefix, { shadows: 3, intervalMs: 200, readers: 2 });
  const fleet = new Fleet(topology, fleetHistory, `${prefix}f`, balancer.port, options);
  const stage: Stage = { topology, history: fleetHistory, fleet, options, violations: [], about: [] };
  await traffic.start();
  await fleet.start();
  if (older === undefined) {
    await roll(stage, { isEven: true });
    await evenOut(stage);
  } else {
    await roll(stage, { isEven: false, main: undefined });
    await evenOut(stage);
    await roll(stage, { isEven: true, main: older });
  }
  await fleet.finish();
  await traffic.finish();
  const expectations = { maxMemory: MAX_MEMORY };
  const result = verdict({ name: ROLLOUT }, seed, history, expectations);
  // The readiness of the nodes is in the other history.
  const ofFleet = validate(fleetHistory, expectations);
  const acked = fleetHistory.updates.filter(({ outcome }) => outcome === 'acked').length;
  const inDoubt = fleetHistory.updates.filter(({ outcome }) => outcome === 'maybe').length;
  const { silences } = fleet.comings;
  const told = [
    `fleet: ${acked} acked, ${inDoubt} in doubt, ${fleetHistory.messages.length} messages`,
    `silence of a device p50 ${round(percentile(silences, 0.5))}, p99 ${round(percentile(silences, 0.99))}, max ${round(Math.max(...silences))} ms`,
    ...stage.about,
  ];
  return {
    ...result,
    violations: [...result.violations, ...ofFleet, ...stage.violations],
    faults: [...result.faults, ...told],
  };
}

interface Roll {
  /** Whether those that end have the drain that spreads. */
  readonly isEven: boolean;
  /** What replaces them; absent: the same again. */
  readonly main?: string | undefined;
}

const spreadOver = (seconds: number) => ({ UMBRA_DRAIN_SPREAD_MS: String(seconds * 1000) });

/** One node after the other, as orchestrators do. */
async function roll(stage: Stage, how: Roll): Promise<void> {
  const { topology, options } = stage;
  for (const node of topology.nodes) {
    await endEvenly(stage, node, how.isEven);
    if ('main' in how) node.main = how.main;
    await node.start();
    const isMixed = 'main' in how && node !== topology.nodes.at(-1);
    await pause(isMixed ? options.mixed * 1000 : SEEN_MS);
  }
}

async function endEvenly({ fleet, history, options, violations, about }: Stage, node: LabNode, isEven: boolean) {
  const { begins } = fleet.comings;
  const [from, firstBegin] = [history.now(), begins.length];
  await node.terminate();
  const took = history.now() - from;
  // The lab reads what has come.
  await pause(500);
  const own = closings(node);
  const spanMs = Math.min(options.spread * 1000, own.length * EACH_MS);
  const share = (own.length * WINDOW_MS) / spanMs;
  const most = densest(own);
  about.push(
    `node ${node.index} ended in ${round(took)} ms: ${own.length} connections, at most ${most} in 100 ms (even: ${share.toFixed(1)}), ` +
      `at most ${densest(begins.slice(firstBegin))} came back in 100 ms`,
  );
  if (own.length === 0) violations.push({ promise: LAB_RUNS, text: `node ${node.index} had no connections to close` });
  if (isEven && most > Math.max(2, 2 * share))
    violations.push({ promise: PROMISES.spread, text: `node ${node.index} closed ${most} of ${own.length} in 100 ms` });
}

/** When the node has closed connections because it shuts down, in epoch milliseconds, by its log. */
function closings(node: LabNode): number[] {
  const lines = node
    .logs()
    .split('\n')
    .filter((line) => line.includes('"client disconnected"'));
  return lines.flatMap((line) => {
    const { time, reason } = JSON.parse(line) as { time: number; reason: string };
    return reason === SHUTTING_DOWN ? [time] : [];
  });
}

/** By the command of the operator. */
async function evenOut({ topology, options, violations, about }: Stage): Promise<void> {
  const { httpUrl } = topology.node(0);
  const before = await counts(httpUrl);
  const child = spawn(
    process.execPath,
    [...['--import', 'tsx', join('src', 'cli', 'main.ts')], ...['ops', 'rebalance', '--server', httpUrl, '--json']],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-2_000)));
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) violations.push({ promise: PROMISES.even, text: `the command ended with ${code}: ${text}` });
  await pause(SEEN_MS);
  const after = await counts(httpUrl);
  about.push(`rebalanced from ${before.join(', ')} to ${after.join(', ')} connections`);
  const mean = after.reduce((sum, each) => sum + each, 0) / after.length;
  const worst = Math.max(...after.map((each) => Math.abs(each - mean)));
  if (worst > Math.max(1, mean / 5))
    violations.push({ promise: PROMISES.even, text: `${after.join(', ')} of ${options.devices} devices` });
}

async function counts(url: string): Promise<number[]> {
  const answer = await fetch(`${url}/v1/nodes`);
  const { nodes } = (await answer.json()) as { nodes: { connections: number | null }[] };
  return nodes.map(({ connections }) => connections ?? 0);
}

/** The most of some times, in their order, that are in one window. */
function densest(times: readonly number[]): number {
  let most = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while (times[to]! - times[from]! >= WINDOW_MS) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

const round = (ms: number): number => Math.round(ms);
