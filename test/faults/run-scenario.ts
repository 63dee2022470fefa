import { setTimeout as pause } from 'node:timers/promises';
import { faultOf, impossible, type FaultContext } from './faults/faults.js';
import { History } from './model/history.js';
import { namespacesRefused } from './faults/namespaces.js';
import { PROMISES, type Expectations, type Violation } from './validate/promises.js';
import { Random } from './plans/random.js';
import type { Scenario } from './plans/scenarios.js';
import { hasMosquitto, Topology } from './topology.js';
import { BOUND_MS, Traffic } from './actors/traffic.js';
import { validate } from './validate/validate.js';

/** Bytes that a node may take under the lab's traffic. */
const MAX_MEMORY = 450e6;
/** Milliseconds of a lost storage after which a node must say that it is not ready. */
const UNREADY_MS = 7_000;

export interface Figures {
  readonly seconds: number;
  readonly acked: number;
  readonly rejected: number;
  readonly maybe: number;
  /** Acknowledged ones, which `acked` counts too. */
  readonly deletions: number;
  readonly reads: number;
  readonly lists: number;
  /** Acknowledged transactions. */
  readonly transactions: number;
  readonly messages: number;
  readonly changes: number;
  readonly reloads: number;
  readonly maxMemoryMb: number;
  /** Longest time between two acknowledgements of anything, in milliseconds. */
  readonly longestGapMs: number;
}

export interface Result {
  readonly scenario: string;
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Set when it was not run. */
  readonly skipped: string | null;
  readonly figures: Figures | null;
  readonly faults: readonly string[];
}

let namespaces: boolean | null = null;

export function hasNamespaces(): boolean {
  return (namespaces ??= namespacesRefused() === null);
}

export interface RunOptions {
  readonly seed: number;
  /** Another build of the service. */
  readonly main?: string;
}

/** Traffic, faults, healing, verdict; on a topology of its own. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Result> {
  const { topology: spec, steps } = scenario;
  const needs = steps.map(({ fault }) => impossible(faultOf(fault), spec, hasNamespaces()));
  const broker = spec.broker === 'mosquitto' && !hasMosquitto() ? 'needs mosquitto' : null;
  const skipped = [broker, ...needs].find((reason) => reason !== null);
  const about = { scenario: scenario.name, seed: options.seed };
  if (skipped !== undefined) return { ...about, violations: [], skipped, figures: null, faults: [] };
  const history = new History();
  const { main } = options;
  const topology = await Topology.start({ ...scenario.topology, ...(main === undefined ? {} : { main }) }, history);
  try {
    const expectations = await runOn(topology, history, scenario, options.seed);
    return verdict(scenario, options.seed, history, expectations);
  } finally {
    await topology.stop();
  }
}

export function verdict(
  { name: scenario }: Pick<Scenario, 'name'>,
  seed: number,
  history: History,
  expectations: Expectations,
): Result {
  return {
    scenario,
    seed,
    violations: validate(history, expectations),
    skipped: null,
    figures: figuresOf(history),
    faults: history.faults.map(({ fault, from, to }) => `${fault} for ${Math.round(to - from)} ms`),
  };
}

/** The same on a topology that is there already. */
export async function runOn(
  topology: Topology,
  history: History,
  scenario: Scenario,
  seed: number,
): Promise<Expectations> {
  const random = new Random(seed);
  const prefix = `s${seed.toString(36)}`;
  const traffic = new Traffic(topology, history, random.fork('traffic'), prefix, scenario.traffic);
  await traffic.start();
  const context: FaultContext = { topology, history, traffic, random: random.fork('faults'), prefix };
  const unready: { node: number; from: number; to: number }[] = [];
  for (const step of scenario.steps) {
    const fault = faultOf(step.fault);
    await pause(step.after);
    const from = history.now();
    const heal = await fault.apply(context);
    await pause(step.hold);
    const healing = history.now();
    const cuts = fault.cutsStorage || isOnlyMember(step.fault, topology);
    if (cuts && healing - from >= UNREADY_MS) {
      topology.nodes.forEach(({ index }) => unready.push({ node: index, from, to: healing + 500 }));
    }
    await healed(heal, step.fault, history);
    history.faults.push({ fault: step.fault, from, to: history.now() });
  }
  await pause(1_000);
  await allReady(topology, history);
  await traffic.finish();
  const calm = scenario.steps.every(({ fault }) => fault === 'none');
  return {
    unready,
    reloads: scenario.steps.some(({ fault }) => faultOf(fault).reloads),
    calm,
    // Requests and messages that a broken part may not have seen acknowledged come again.
    ...(topology.broker && !calm && { repeats: 'an external broker is at least once' }),
    maxMemory: scenario.maxMemory ?? MAX_MEMORY,
  };
}

function isOnlyMember(fault: string, topology: Topology): boolean {
  return topology.members.length === 1 && (fault === 'kill-leader' || fault === 'stop-leader');
}

/** A node or member that cannot be brought back is a finding, not the end of the lab. */
async function healed(heal: () => Promise<void>, fault: string, history: History): Promise<void> {
  try {
    await heal();
  } catch (error) {
    history.remarks.push({ promise: PROMISES.serves, text: `after ${fault}: ${String(error).slice(0, 400)}` });
  }
}

/** The sampler writes down what it sees; this only waits for it. */
async function allReady(topology: Topology, history: History): Promise<void> {
  const from = history.now();
  const isReady = (node: number): boolean => {
    const last = history.ready.findLast((sample) => sample.node === node);
    return last?.ready === true && last.at > from;
  };
  while (history.now() - from < BOUND_MS && !topology.nodes.every(({ index }) => isReady(index))) await pause(100);
}

function figuresOf(history: History): Figures {
  const count = (outcome: string): number => history.updates.filter((op) => op.outcome === outcome).length;
  const ends = history.updates.flatMap((op) => (op.outcome === 'acked' ? [op.to] : [])).sort((a, b) => a - b);
  const gaps = ends.slice(1).map((at, i) => at - (ends[i] as number));
  return {
    seconds: Math.round((history.now() - (history.updates[0]?.from ?? history.now())) / 1_000),
    acked: count('acked'),
    rejected: count('rejected'),
    maybe: count('maybe'),
    deletions: history.updates.filter(({ kind, outcome }) => kind === 'delete' && outcome === 'acked').length,
    reads: history.reads.length,
    lists: history.lists.length,
    transactions: history.bank?.moved ?? 0,
    messages: history.messages.length,
    changes: history.changes.length,
    reloads: history.endings.filter(({ reason }) => reason.startsWith('starts over')).length,
    maxMemoryMb: Math.round(history.memory.reduce((most, { bytes }) => Math.max(most, bytes), 0) / 1e6),
    longestGapMs: Math.round(gaps.reduce((most, gap) => Math.max(most, gap), 0)),
  };
}
