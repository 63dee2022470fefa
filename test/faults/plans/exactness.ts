import { setTimeout as pause } from 'node:timers/promises';
import { EtcdRecorder } from '../actors/etcd-recorder.js';
import { ExactReader } from '../actors/exact-reader.js';
import { FleetWriters } from '../actors/fleet-writers.js';
import { askReady } from '../actors/rest-caller.js';
import { TRANSPORTS } from '../actors/stream.js';
import { Commits, ExactHistory, type Lifetime } from '../model/exact-history.js';
import { exactViews } from '../model/exact-view.js';
import { History } from '../model/history.js';
import type { Result } from '../run-scenario.js';
import { Topology, type LabNode, type TopologySpec } from '../topology.js';
import { judgeExact } from '../validate/exact.js';
import { reporter } from '../validate/findings.js';
import { LAB_RUNS, PROMISES, type Violation } from '../validate/promises.js';
import { EXACTNESS } from './plan-names.js';
import { Random } from './random.js';

export interface ExactnessOptions {
  readonly minutes: number;
  readonly readers: number;
  /** Requests a second. */
  readonly rate: number;
  readonly members: 1 | 3;
}

export const USUAL_EXACTNESS: ExactnessOptions = { minutes: 1, readers: 100, rate: 100, members: 3 };

/** UMBRA_WATCH_HISTORY_RECORDS: ten seconds of the usual rate, so that an absence is soon longer than that. */
const MEMORY = 1_000;
/** Milliseconds between two faults, for which one lasts, and in which all is whole again afterwards. */
const BETWEEN_MS = [2_000, 8_000] as const;
const HOLD_MS = [500, 3_000] as const;
const BOUND_MS = 60_000;
/** Longest absences of a reader, in milliseconds; the usual one is longer than a node remembers. */
const AWAY_MS = [9_000, 25_000] as const;
/** Bytes that a node may take. */
const MAX_MEMORY = 450e6;
const SAMPLE_MS = 1_000;

type Event = 'kill-node' | 'terminate-node' | 'kill-leader' | 'compact';
/** Again and again; where there is time for one round only, each has happened. */
const EVENTS: readonly Event[] = ['compact', 'kill-node', 'compact', 'kill-leader', 'compact', 'terminate-node'];

interface Stage {
  readonly topology: Topology;
  readonly history: ExactHistory;
  readonly recorder: EtcdRecorder;
  readonly random: Random;
  /** For remarks and faults. */
  readonly lab: History;
  readonly until: number;
  maxMemory: number;
}

/** Readers of all transports and filters beside a steady load, while nodes and the leader are killed and etcd compacts. */
export async function runExactness(seed: number, options: ExactnessOptions, main?: string): Promise<Result> {
  const lab = new History();
  const { members } = options;
  const env = { UMBRA_WATCH_HISTORY_RECORDS: String(MEMORY), UMBRA_WATCH_BOOKMARK_MS: '1000' };
  const spec: TopologySpec = { members, nodes: 3, broker: 'built-in', proxied: false, timers: 'default', env };
  const topology = await Topology.start({ ...spec, ...(main === undefined ? {} : { main }) }, lab);
  try {
    return await playOn(topology, lab, seed, options);
  } finally {
    await topology.stop();
  }
}

async function playOn(topology: Topology, lab: History, seed: number, options: ExactnessOptions): Promise<Result> {
  const random = new Random(seed);
  const prefix = `x${seed.toString(36)}-`;
  const commits = new Commits(exactViews(prefix));
  const history = new ExactHistory(commits, MEMORY);
  const endpoints = topology.members.map(({ endpoint }) => endpoint);
  const recorder = new EtcdRecorder(endpoints, (commit) => commits.add(commit));
  recorder.start();
  for (const { index } of topology.nodes) {
    const now = performance.now();
    history.lifetimes.push({ node: index, startedAt: 0, readyAt: commits.last, from: now });
  }
  const targets = topology.nodes.map(({ index, httpUrl }) => ({ node: index, url: httpUrl }));
  const readers = Array.from({ length: options.readers }, (_, i) => {
    const view = commits.views[i % commits.views.length]!;
    const transport = TRANSPORTS[Math.floor(i / commits.views.length) % TRANSPORTS.length]!;
    const unrest = { random: random.fork(`reader ${i}`), awayMs: AWAY_MS };
    return new ExactReader(`${view.name}-${transport}-${i}`, { transport, view, unrest }, targets, history);
  });
  const writers = new FleetWriters(prefix, targets, history, random.fork('writers'), options.rate);
  const until = performance.now() + options.minutes * 60_000;
  const stage: Stage = { topology, history, recorder, random: random.fork('plan'), lab, until, maxMemory: 0 };
  const sampling = setInterval(() => sample(stage), SAMPLE_MS);
  try {
    await Promise.all(readers.map((reader) => reader.start()));
    writers.start();
    await disturb(stage);
    await writers.stop();
    await settle(stage, readers);
  } finally {
    clearInterval(sampling);
    await Promise.all([...readers, writers, recorder].map((actor) => actor.stop()));
  }
  return verdictOf(stage, seed);
}

function sample(stage: Stage): void {
  for (const node of stage.topology.nodes) stage.maxMemory = Math.max(stage.maxMemory, node.memory()?.bytes ?? 0);
}

async function disturb(stage: Stage): Promise<void> {
  const { random, until, lab } = stage;
  const pauseFor = ([least, most]: readonly [number, number]): Promise<void> => pause(random.int(least, most));
  for (let turn = 0; ; turn++) {
    await pauseFor(BETWEEN_MS);
    if (performance.now() > until) return;
    const event = EVENTS[turn % EVENTS.length] as Event;
    const from = lab.now();
    if (event === 'compact') await compact(stage);
    else if (event === 'kill-leader') await killLeader(stage, () => pauseFor(HOLD_MS));
    else await endNode(stage, event, () => pauseFor(HOLD_MS));
    lab.faults.push({ fault: event, from, to: lab.now() });
  }
}

/** At what the lab has heard: all that was committed before is gone, and the truth stays whole. */
async function compact({ topology, history, recorder }: Stage): Promise<void> {
  const { client } = topology.members[await topology.leader()]!;
  const compaction = { revision: recorder.position, from: performance.now(), to: Infinity };
  history.compactions.push(compaction);
  await client.kv.compact({ revision: String(compaction.revision), physical: true });
  compaction.to = performance.now();
}

async function killLeader({ topology, history }: Stage, hold: () => Promise<void>): Promise<void> {
  const span = { from: performance.now(), to: Infinity };
  history.shaken.push(span);
  const member = topology.members[await topology.leader()]!;
  await member.kill9();
  await hold();
  await member.restart();
  span.to = performance.now();
}

async function endNode(stage: Stage, event: 'kill-node' | 'terminate-node', hold: () => Promise<void>): Promise<void> {
  const node: LabNode = stage.random.pick(stage.topology.nodes);
  if (event === 'kill-node') await node.kill9();
  else await node.terminate();
  await hold();
  const { commits, lifetimes } = stage.history;
  const life: Lifetime = { node: node.index, startedAt: commits.last, readyAt: Infinity, from: performance.now() };
  lifetimes.push(life);
  await node.start();
  life.readyAt = commits.last;
}

/** All readers come back, and have to be told of everything. */
async function settle({ topology, history, recorder, lab }: Stage, readers: readonly ExactReader[]): Promise<void> {
  const from = performance.now();
  const isLate = (): boolean => performance.now() - from > BOUND_MS;
  readers.forEach((reader) => reader.rest());
  const head = await topology.members[await topology.leader()]!.client.kv.range({ key: Buffer.from('/'), limit: 1 });
  // The recorder hears of shadows alone, and of the last one soon.
  for (let last = -1; last !== recorder.position && !isLate(); await pause(1_000)) last = recorder.position;
  while (readers.some(({ position }) => position < history.commits.last) && !isLate()) await pause(50);
  for (const { index, httpUrl } of topology.nodes)
    if (!(await askReady(httpUrl))) lab.remarks.push({ promise: PROMISES.ready, text: `node ${index} is not ready` });
  if (recorder.fault !== null) throw new Error(recorder.fault);
  history.counts.set('ms until all had caught up', Math.round(performance.now() - from));
  history.counts.set('revisions', Number(head.header.revision));
}

function verdictOf({ history, lab, maxMemory }: Stage, seed: number): Result {
  const violations: Violation[] = [];
  const report = reporter(violations);
  for (const { promise, text } of lab.remarks) report(promise, text);
  judgeExact(history, report);
  for (const what of ['resumed', 'compacted', 'freezes', 'long absences'])
    if (!history.counts.has(what)) report(LAB_RUNS, `there were none: ${what}`);
  if (maxMemory > MAX_MEMORY) report(PROMISES.bounded, `a node took ${Math.round(maxMemory / 1e6)} MB`);
  const { commits, readers, compactions } = history;
  const told = readers.flatMap(({ segments }) => segments).reduce((sum, { revisions }) => sum + revisions.length, 0);
  const about = [
    `${readers.length} readers were told of ${told} changes, of ${commits.revisions.length} that etcd has kept`,
    `${compactions.length} compactions`,
    ...[...history.counts].map(([what, count]) => `${what}: ${count}`),
    `node ${Math.round(maxMemory / 1e6)} MB, lab ${Math.round(process.memoryUsage.rss() / 1e6)} MB`,
  ];
  const faults = [...lab.faults.map(({ fault, from, to }) => `${fault} for ${Math.round(to - from)} ms`), ...about];
  return { scenario: EXACTNESS, seed, violations, skipped: null, figures: null, faults };
}
