import { setTimeout as pause } from 'node:timers/promises';
import { History } from '../faults/model/history.js';
import { same } from '../faults/model/model.js';
import { until } from '../harness/until.js';
import type { Column } from './columns.js';
import type { OpenColumn } from './open-column.js';
import { isWhole, leaderOf, SMALL_DISK, type MatrixFault } from './faults.js';
import { brokenPromises, lostWrites } from './judge.js';
import type { FaultRun } from './matrix-run.js';
import { staleReads } from './stale-reads.js';
import { startServers, type Servers } from './servers.js';
import { bucketsOf, longestGap, servedShare, stepsOf } from './timeline.js';
import { finalStates, Follower, keyOf, NodeTraffic } from './traffic.js';
import { TwoWriters, type TwoWritersFound } from './two-writers.js';

export interface FaultTimes {
  /** Milliseconds of traffic before the fault, of the fault, and after its healing. */
  readonly calm: number;
  readonly hold: number;
  readonly rest: number;
}

/** Milliseconds after the fault at which a second node starts, as an orchestrator would. */
const SECOND_NODE_MS = 4_000;
/** Milliseconds for servers to be whole again, and for readers to catch up. */
const SETTLE_MS = 30_000;
/** Losses that the JSON names. */
const NAMED = 200;

/** Traffic, one fault, healing, verdict; on servers of its own. @throws Error when the servers do not start or return */
export async function runFault(
  column: Column,
  fault: MatrixFault,
  times: FaultTimes,
  round: number,
  apart: boolean,
): Promise<FaultRun> {
  const disk = fault.needs === 'disks' ? { disk: SMALL_DISK } : {};
  const servers = await startServers(column.needs, { apart, timers: fault.timers ?? 'default', ...disk });
  const opened: OpenColumn[] = [];
  const open = async (): Promise<OpenColumn> => {
    const node = await column.open(servers, opened.length);
    opened.push(node);
    return node;
  };
  try {
    return await new Run(column, fault, times, servers, open).run(round);
  } finally {
    await Promise.all(opened.map((node) => node.close().catch(() => undefined)));
    await servers.stop();
  }
}

class Run {
  readonly #history = new History();
  readonly #traffic: NodeTraffic[] = [];
  #newLeaderAt: number | null = null;
  #over = false;

  constructor(
    private readonly column: Column,
    private readonly fault: MatrixFault,
    private readonly times: FaultTimes,
    private readonly servers: Servers,
    private readonly open: () => Promise<OpenColumn>,
  ) {}

  async run(round: number): Promise<FaultRun> {
    const { calm, rest } = this.times;
    const node = await this.open();
    const start = await node.feed.head(new AbortController().signal);
    const live = new Follower('live', node.feed, this.#history);
    live.start(start);
    const writers = new TwoWriters(this.servers);
    const from = performance.now();
    this.#startNode(0, node);
    await pause(calm);
    writers.start();
    const { faultAt, healedAt, note } = await this.#break(node);
    await pause(rest);
    this.#over = true;
    await Promise.all(this.#traffic.map((each) => each.stop()));
    const two = await writers.stop();
    const end = performance.now();
    await until('the servers are whole again', () => isWhole(this.servers), SETTLE_MS);
    const left = await this.#leftOver(start.revision, live);
    const agreeAt = await this.#agree(node);
    await live.stop();
    const acks = this.#acks();
    const gap = longestGap(acks, faultAt, end);
    const lost = lostWrites(this.#history.updates, left);
    return {
      ...{ column: this.column.facts.name, fault: this.fault.name, round, ...this.#counts() },
      ...{ lost: lost.length, lostNames: lost.slice(0, NAMED).map(({ shadow, id }) => `${shadow}: ${id}`) },
      ...{ gapMs: Math.round(gap.ms), served: servedShare(acks, faultAt, healedAt) },
      ...{ twoWritersMs: Math.round(two.ms), twoWriters: spanOf(two, faultAt), note },
      ...this.#reads(faultAt, healedAt),
      ...{ broken: brokenPromises(this.#history) },
      ...{ buckets: bucketsOf(acks, from, end), faultAt: Math.round(faultAt - from) },
      healedAt: Math.round(healedAt - from),
      steps: stepsOf({
        ...{ faultAt, gap, newLeaderAt: this.#newLeaderAt, told: live.times, cachesAgreeAt: agreeAt },
      }),
    };
  }

  #startNode(index: number, node: OpenColumn): void {
    const traffic = new NodeTraffic(index, node, this.#history);
    this.#traffic.push(traffic);
    traffic.start();
  }

  async #break(node: OpenColumn): Promise<{ faultAt: number; healedAt: number; note: string | null }> {
    const leader = await leaderOf(this.servers);
    if (leader === null) throw new Error('no leader');
    const faultAt = performance.now();
    const watching = this.#watchLeader(leader);
    const heal = await this.fault.apply({ servers: this.servers, leader, node });
    await pause(Math.max(0, SECOND_NODE_MS - (performance.now() - faultAt)));
    const second = await this.open();
    this.#startNode(1, second);
    await pause(Math.max(0, this.times.hold - (performance.now() - faultAt)));
    const note = (await heal()) ?? null;
    void watching;
    return { faultAt, healedAt: performance.now(), note };
  }

  /** Never rejects. */
  async #watchLeader(before: number): Promise<void> {
    while (!this.#over && this.#newLeaderAt === null) {
      const leader = await leaderOf(this.servers, before);
      if (leader !== null && leader !== before) this.#newLeaderAt = performance.now();
      await pause(50);
    }
  }

  /** What a new reader finds from the beginning of the run on, which is what the store has kept. */
  async #leftOver(start: number, live: Follower) {
    const reader = await this.open();
    const head = await until('the store says its head', () =>
      reader.feed.head(new AbortController().signal).catch(() => null),
    );
    const left = new Follower('left', reader.feed, this.#history);
    left.start({ ...head, revision: start });
    for (const follower of [left, live]) {
      await until('readers are at the head', () => follower.reached >= head.revision, SETTLE_MS).catch(() => undefined);
    }
    await left.stop();
    for (const [shadow, state] of await finalStates(reader)) this.#history.final.set(shadow, [state]);
    return this.#history.changes.filter(({ stream }) => stream === 'left');
  }

  /** When what the node reads is what the store has; null: not in time. */
  async #agree(node: OpenColumn): Promise<number | null> {
    const agrees = async (): Promise<boolean> => {
      for (const [shadow, [state]] of this.#history.final) {
        const read = await node.read(keyOf(shadow), performance.now() + 2_000).catch(() => undefined);
        if (read === undefined || !same(read.told as never, (state ?? null) as never)) return false;
      }
      return true;
    };
    return until('reads agree', agrees, SETTLE_MS).then(
      () => performance.now(),
      () => null,
    );
  }

  /** Of the first node, in order. */
  #acks(): number[] {
    const acked = this.#history.updates.filter(({ node, outcome }) => node === 0 && outcome === 'acked');
    return acked.map(({ to }) => to).sort((a, b) => a - b);
  }

  #reads(faultAt: number, healedAt: number): Pick<FaultRun, 'readsServed' | 'stale' | 'oldestMs'> {
    const { updates, reads } = this.#history;
    const times = reads.map(({ to }) => to);
    const { stale, oldestMs } = staleReads(updates, reads);
    return { readsServed: servedShare(times, faultAt, healedAt), stale, oldestMs: Math.round(oldestMs) };
  }

  #counts(): { acked: number; failed: number } {
    const acked = this.#history.updates.filter(({ outcome }) => outcome === 'acked').length;
    return { acked, failed: this.#history.updates.length - acked };
  }
}

/** In milliseconds after the fault. */
const spanOf = ({ first, last }: TwoWritersFound, faultAt: number): FaultRun['twoWriters'] =>
  first === null ? null : [Math.round(first - faultAt), Math.round(last - faultAt)];
