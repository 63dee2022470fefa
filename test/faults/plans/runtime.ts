import { setTimeout as pause } from 'node:timers/promises';
import { RuntimeOperators, type Turn } from '../actors/runtime-operators.js';
import { faultOf, type FaultName } from '../faults/faults.js';
import { History } from '../model/history.js';
import type { Result } from '../run-scenario.js';
import { Topology, type LabNode } from '../topology.js';
import { reporter, type Report } from '../validate/findings.js';
import { LAB_RUNS, PROMISES, type Violation } from '../validate/promises.js';
import { RUNTIME } from './plan-names.js';
import { Random } from './random.js';
import { firstKey, withMasterKey } from './secured-nodes.js';

const OPERATORS = 3;
/** Milliseconds of work between two faults, for which one lasts, and until all must follow what is live. */
const BETWEEN_MS = 3_000;
const HOLD_MS = 2_000;
const FOLLOWED_MS = 20_000;
/**
 * Milliseconds for which a node is frozen: longer than staging and promoting wait together, and shorter than its lease,
 * with whose end it would count no more.
 */
const FROZEN_MS = 6_500;
/** Milliseconds in which a frozen process may still end what it had begun. */
const FREEZES_MS = 100;
const EVENTS: readonly FaultName[] = ['kill-leader', 'response-lost', 'kill-node'];

interface Stage {
  readonly topology: Topology;
  readonly lab: History;
  readonly operators: RuntimeOperators;
  readonly random: Random;
  readonly frozen: { readonly from: number; readonly to: number }[];
}

/** Several stage and promote runtime configurations at once, while nodes and the leader are killed, and nodes frozen. */
export async function runRuntime(seed: number, main?: string): Promise<Result> {
  return withMasterKey(async (env) => {
    const lab = new History();
    const usual = { members: 3, nodes: 3, broker: 'built-in', proxied: true, timers: 'default' } as const;
    const topology = await Topology.start({ ...usual, env, ...(main === undefined ? {} : { main }) }, lab);
    try {
      return await playOn(topology, lab, seed);
    } finally {
      await topology.stop();
    }
  });
}

async function playOn(topology: Topology, lab: History, seed: number): Promise<Result> {
  const random = new Random(seed);
  const operators = new RuntimeOperators(OPERATORS, {
    urls: topology.nodes.map(({ httpUrl }) => httpUrl),
    key: await firstKey(topology.nodes),
    now: () => lab.now(),
    random: random.fork('operators'),
  });
  const stage: Stage = { topology, lab, operators, random: random.fork('plan'), frozen: [] };
  operators.start();
  try {
    await disturb(stage);
  } finally {
    await operators.stop();
  }
  const violations: Violation[] = [...lab.remarks];
  const report = reporter(violations);
  judge(stage, report);
  await judgeEnd(stage, report);
  const { turns, refused } = operators;
  const about = `${turns.length} promotions, ${refused} refusals, ${stage.frozen.length} times a node was frozen`;
  return { scenario: RUNTIME, seed, violations, skipped: null, figures: null, faults: [...EVENTS, about] };
}

async function disturb(stage: Stage): Promise<void> {
  const { topology, lab, random, frozen } = stage;
  for (const event of EVENTS) {
    await pause(BETWEEN_MS);
    const heal = await faultOf(event).apply({ topology, history: lab, traffic: null, random, prefix: 'runtime' });
    await pause(HOLD_MS);
    await heal();
    await pause(BETWEEN_MS);
    await freeze(random.pick(topology.nodes), lab, frozen);
  }
  await pause(BETWEEN_MS);
}

async function freeze(node: LabNode, lab: History, frozen: Stage['frozen']): Promise<void> {
  node.signal('SIGSTOP');
  const from = lab.now() + FREEZES_MS;
  await pause(FROZEN_MS);
  const to = lab.now();
  node.signal('SIGCONT');
  frozen.push({ from, to });
}

function judge({ operators, frozen }: Stage, report: Report): void {
  const { turns, refused } = operators;
  for (const { mark, live } of turns)
    if (live !== mark) report(PROMISES.runtimeOwn, `the operator of document ${mark} made document ${live} live`);
  const isWithin = (turn: Turn) => frozen.some(({ from, to }) => turn.from > from && turn.to < to);
  for (const turn of turns.filter(isWithin))
    report(PROMISES.runtimeAll, `document ${turn.mark} was staged and promoted while a node was frozen`);
  if (turns.length === 0) report(LAB_RUNS, 'there were no promotions');
  if (refused === 0) report(LAB_RUNS, 'nobody came in the way of another operator');
}

/** All nodes follow what is live, and say the same of it. */
async function judgeEnd({ topology, operators, lab }: Stage, report: Report): Promise<void> {
  const from = lab.now();
  for (;;) {
    const views = await Promise.all(topology.nodes.map(({ httpUrl }) => operators.ask(httpUrl, 'GET', '')));
    const told = views.map((answer) => answer && [answer.view.live?.version, ...inForce(answer.view.nodes)]);
    const isEven = told.every((each) => each?.length === topology.nodes.length + 1 && new Set(each).size === 1);
    if (isEven && new Set(told.map((each) => each?.[0])).size === 1) return;
    if (lab.now() - from > FOLLOWED_MS) return report(PROMISES.runtimeFollowed, `at the end: ${JSON.stringify(told)}`);
    await pause(200);
  }
}

const inForce = (nodes: readonly { readonly inForce: number | null }[]): (number | null)[] =>
  nodes.map((each) => each.inForce);
