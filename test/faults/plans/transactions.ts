import { setTimeout as pause } from 'node:timers/promises';
import { Bank } from '../actors/bank.js';
import { EtcdRecorder } from '../actors/etcd-recorder.js';
import { LeaseRivals } from '../actors/lease-rivals.js';
import { Promoters } from '../actors/promoters.js';
import { askReady } from '../actors/rest-caller.js';
import { faultOf, type FaultName } from '../faults/faults.js';
import { killBeforeAnswer } from '../faults/killed-before-answer.js';
import { FleetHistory } from '../model/fleet-history.js';
import { History } from '../model/history.js';
import type { Result } from '../run-scenario.js';
import { Topology, type TopologySpec } from '../topology.js';
import { reporter } from '../validate/findings.js';
import { judgeFleet } from '../validate/fleet.js';
import { LAB_RUNS, type Violation } from '../validate/promises.js';
import { validate } from '../validate/validate.js';
import { TRANSACTIONS } from './plan-names.js';
import { Random } from './random.js';

export interface TransactionsOptions {
  readonly minutes: number;
  readonly members: 1 | 3;
}

export const USUAL_TRANSACTIONS: TransactionsOptions = { minutes: 1, members: 3 };

/** Milliseconds between two faults, for which one lasts, and in which all is whole again afterwards. */
const BETWEEN_MS = [1_500, 5_000] as const;
const HOLD_MS = [500, 3_000] as const;
const BOUND_MS = 60_000;
/** Milliseconds between two moves of a clerk. */
const BANK_MS = 100;
const GROUPS = 4;
const PROMOTED = 3;
/** Bytes that a node may take. */
const MAX_MEMORY = 450e6;

type Event = 'kill-before-answer' | FaultName;
/** Again and again; in a minute at least the first of them happen. */
const EVENTS: readonly Event[] = [
  'kill-before-answer',
  'kill-leader',
  'kill-node',
  'kill-before-answer',
  'response-lost',
  'stop-node',
  'slow-network',
];

interface Stage {
  readonly topology: Topology;
  readonly lab: History;
  readonly fleet: FleetHistory;
  readonly recorder: EtcdRecorder;
  readonly random: Random;
  readonly prefix: string;
  readonly until: number;
}

/** All that changes several shadows, or only once, or only by right, while nodes and the leader are killed. */
export async function runTransactions(seed: number, options: TransactionsOptions, main?: string): Promise<Result> {
  const lab = new History();
  const { members } = options;
  const spec: TopologySpec = { members, nodes: 3, broker: 'built-in', proxied: true, timers: 'default' };
  const topology = await Topology.start({ ...spec, ...(main === undefined ? {} : { main }) }, lab);
  try {
    return await playOn(topology, lab, seed, options);
  } finally {
    await topology.stop();
  }
}

async function playOn(topology: Topology, lab: History, seed: number, options: TransactionsOptions): Promise<Result> {
  const random = new Random(seed);
  const prefix = `t${seed.toString(36)}-`;
  const fleet = new FleetHistory();
  const endpoints = topology.members.map(({ endpoint }) => endpoint);
  const recorder = new EtcdRecorder(endpoints, (commit) => {
    // The bank has readers and checks of its own.
    if (!commit.thing.startsWith(`${prefix}bank-`)) fleet.add(commit);
  });
  recorder.start();
  const targets = topology.nodes.map(({ index, httpUrl }) => ({ node: index, url: httpUrl }));
  const bank = new Bank(prefix, targets, random.fork('bank'));
  lab.bank = bank.history;
  const rivals = Array.from(
    { length: GROUPS },
    (_, i) => new LeaseRivals(`${prefix}leased${i}`, targets, fleet, random.fork(`rivals ${i}`)),
  );
  const things = Array.from({ length: PROMOTED }, (_, i) => `${prefix}promoted-${i}`);
  const promoters = new Promoters(things, targets, fleet, random.fork('promoters'));
  const until = performance.now() + options.minutes * 60_000;
  const stage: Stage = { topology, lab, fleet, recorder, random: random.fork('plan'), prefix, until };
  let isWriting = true;
  const sampling = setInterval(() => sample(stage), 1_000);
  try {
    await bank.start(BANK_MS, async () => isWriting);
    for (const actor of [...rivals, promoters]) actor.start();
    await disturb(stage);
    isWriting = false;
    await Promise.all([...rivals, promoters].map((actor) => actor.stop()));
    await bank.finish(BOUND_MS);
    await settle(stage);
  } finally {
    isWriting = false;
    clearInterval(sampling);
    await Promise.all([...rivals, promoters, recorder].map((actor) => actor.stop()));
  }
  return verdictOf(stage, seed);
}

function sample({ topology, lab }: Stage): void {
  for (const node of topology.nodes) {
    const memory = node.memory();
    if (memory) lab.memory.push({ node: node.index, at: lab.now(), ...memory });
  }
}

async function disturb(stage: Stage): Promise<void> {
  const { topology, lab, fleet: history, random, prefix, until } = stage;
  for (let turn = 0; ; turn++) {
    await pause(random.int(...BETWEEN_MS));
    if (performance.now() > until) return;
    const event = EVENTS[turn % EVENTS.length] as Event;
    const from = lab.now();
    if (event === 'kill-before-answer') await killBeforeAnswer({ topology, history, random, prefix, round: turn });
    else {
      const heal = await faultOf(event).apply({ topology, history: lab, traffic: null, random, prefix });
      await pause(random.int(...HOLD_MS));
      await heal();
    }
    lab.faults.push({ fault: event, from, to: lab.now() });
  }
}

/** Until every node serves and the recorder has heard of all. */
async function settle({ topology, recorder, lab }: Stage): Promise<void> {
  const from = lab.now();
  const isLate = (): boolean => lab.now() - from > BOUND_MS;
  for (let last = -1; last !== recorder.position && !isLate(); await pause(1_000)) last = recorder.position;
  for (const { index, httpUrl } of topology.nodes) {
    while ((await askReady(httpUrl)) !== true && !isLate()) await pause(100);
    lab.ready.push({ node: index, at: lab.now(), ready: await askReady(httpUrl) });
  }
  if (recorder.fault !== null) throw new Error(recorder.fault);
}

function verdictOf({ lab, fleet }: Stage, seed: number): Result {
  const violations: Violation[] = validate(lab, { maxMemory: MAX_MEMORY });
  const report = reporter(violations);
  judgeFleet(fleet, report);
  for (const what of ['leases that passed on', 'promotions acked', 'committed before the kill'])
    if (!fleet.counts.has(what)) report(LAB_RUNS, `there were no ${what}`);
  const { moved, replayed, audits } = lab.bank!;
  const maxMemory = lab.memory.reduce((most, { bytes }) => Math.max(most, bytes), 0);
  const about = [
    `bank: ${moved} transactions, ${replayed} of them answered again, ${audits.length} audits`,
    ...[...fleet.counts].map(([what, count]) => `${what}: ${count}`),
    `node ${Math.round(maxMemory / 1e6)} MB, lab ${Math.round(process.memoryUsage.rss() / 1e6)} MB`,
  ];
  const faults = [...lab.faults.map(({ fault, from, to }) => `${fault} for ${Math.round(to - from)} ms`), ...about];
  return { scenario: TRANSACTIONS, seed, violations, skipped: null, figures: null, faults };
}
