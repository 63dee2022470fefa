import { until } from '../harness/until.js';
import type { Column } from './columns.js';
import { SCORED_TOPOLOGY } from './findings.js';
import type { LoadResults } from './load-results.js';
import { create, openLoop, reads, saturated } from './loads.js';
import type { OpenColumn } from './open-column.js';
import { includes, type Plan } from './plan.js';
import { startServers, type Place, type Servers } from './servers.js';
import { memoryOf } from './usage.js';

/** Shadows of a load at a fixed rate. */
const SHADOWS = 200;
/** Shadows that are there before memory is counted: the first ones need what is there once. */
const FIRST = 200;
/** Reads a second beside writes that come as fast as a column's own half. */
const HALF_READS = 100;
/** Milliseconds for a cache to catch up with the load before. */
const SETTLED_MS = 20_000;
/** Of the updates of devices, reads beside them. */
const DEVICE_READS = 0.1;

/**
 * All loads of one column on servers of its own, one after the other.
 * @param results null: only how fast it is, which does not count
 * @returns updates a second; null: not measured
 */
export async function visitThreeHosts(
  plan: Plan,
  column: Column,
  apart: boolean,
  results: LoadResults | null,
): Promise<number | null> {
  return withServers(column, { apart, timers: 'steady' }, async (opened, servers) => {
    const visit = new Visit(plan, column, opened, servers, results);
    if (results && includes(plan, 'devices')) await visit.devices(results);
    if (results && includes(plan, 'latency')) await visit.fixed(results);
    if (!includes(plan, 'throughput') && !includes(plan, 'half')) return null;
    const perSecond = await visit.saturated();
    if (results && includes(plan, 'half')) await visit.half(results, perSecond / 2);
    return perSecond;
  });
}

class Visit {
  constructor(
    private readonly plan: Plan,
    private readonly column: Column,
    private readonly opened: OpenColumn,
    private readonly servers: Servers,
    private readonly results: LoadResults | null,
  ) {}

  async devices(results: LoadResults): Promise<void> {
    const { devices } = this.plan.size;
    await create(this.opened, 'first', FIRST);
    const before = memoryOf(this.servers);
    await create(this.opened, 'd', devices);
    const after = memoryOf(this.servers);
    const each = Object.keys(after).map((name) => [name, ((after[name] ?? 0) - (before[name] ?? 0)) / devices]);
    results.memory(this.column, devices, Object.fromEntries(each));
    await this.#load(results, 'devices', devices, devices * DEVICE_READS, devices, 'd');
  }

  async fixed(results: LoadResults): Promise<void> {
    const { perSecond } = this.plan.size;
    await this.#load(results, 'fixed', perSecond, perSecond, SHADOWS, 'f');
  }

  async half(results: LoadResults, perSecond: number): Promise<void> {
    await this.#load(results, 'half', perSecond, HALF_READS, this.plan.size.callers, 't');
  }

  async saturated(): Promise<number> {
    const { callers, throughputSeconds } = this.plan.size;
    const rate = await saturated(this.opened, this.servers, callers, throughputSeconds);
    this.results?.rate(this.column, callers, rate);
    return rate.perSecond;
  }

  async #load(
    results: LoadResults,
    load: 'fixed' | 'half' | 'devices',
    writes: number,
    reads: number,
    shadows: number,
    prefix: string,
  ): Promise<void> {
    const seconds = this.plan.size.latencySeconds;
    await settled(this.opened);
    const found = await openLoop(this.opened, { writes, reads, seconds, shadows, prefix });
    results.latency(this.column, { topology: SCORED_TOPOLOGY, load, writes, reads }, found);
  }
}

/** What the load before has left to be done is done: a write is read. A cache may still be late, and then shows it. */
async function settled(column: OpenColumn): Promise<void> {
  const version = await create(column, 'settled', 1);
  await until('reads have caught up', () => reads(column, 'settled', version), SETTLED_MS).catch(() => undefined);
}

export interface Far {
  readonly topology: string;
  readonly between: number;
  readonly hosts: 1 | 3;
  readonly perSecond: number;
}

/** The fixed rate on another topology, all on loopback: between members are proxies, or there is one host. */
export async function visitFar(plan: Plan, column: Column, far: Far, results: LoadResults): Promise<void> {
  const { topology, between, hosts, perSecond } = far;
  await withServers(column, { apart: false, between, hosts, timers: 'steady' }, async (opened) => {
    const load = { writes: perSecond, reads: perSecond };
    const { latencySeconds: seconds } = plan.size;
    const found = await openLoop(opened, { ...load, seconds, shadows: SHADOWS, prefix: 'f' });
    results.latency(column, { topology, load: 'fixed', ...load }, found);
  });
}

async function withServers<T>(
  column: Column,
  place: Place,
  use: (opened: OpenColumn, servers: Servers) => Promise<T>,
): Promise<T> {
  const servers = await startServers(column.needs, place);
  try {
    const opened = await column.open(servers);
    try {
      return await use(opened, servers);
    } finally {
      await opened.close();
    }
  } finally {
    await servers.stop();
  }
}
