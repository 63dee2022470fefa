import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { median } from '../bench/statistics.js';
import { namespacesRefused } from '../faults/faults/namespaces.js';
import { Random } from '../faults/plans/random.js';
import { COLUMNS, type Column } from './columns.js';
import { runFault } from './fault-run.js';
import { FAULTS, type MatrixFault } from './faults.js';
import { SCORED_TOPOLOGY } from './findings.js';
import { distribution, fixedRate, rounded, saturated, type Rate, type Round } from './loads.js';
import type { FaultRun, Latency, MatrixRun, Skipped, Throughput } from './matrix-run.js';
import { startServers, type Place } from './servers.js';
import type { Size } from './sizes.js';

export const MATRIX_ROWS = ['latency', 'zones', 'throughput', 'faults'] as const;
export type MatrixRow = (typeof MATRIX_ROWS)[number];

export interface Plan {
  readonly size: Size;
  readonly columns: readonly Column[];
  readonly rows: readonly MatrixRow[];
  /** Decides in which order the columns have their turns. */
  readonly seed: number;
  readonly command: string;
  readonly say: (text: string) => void;
}

/** Everything that was chosen, on this machine. @throws Error when servers do not start */
export async function measure(plan: Plan): Promise<MatrixRun> {
  const startedAt = new Date().toISOString();
  const before = loadavg()[0] ?? 0;
  const lab = new Matrix(plan);
  if (plan.rows.includes('throughput')) await lab.throughput();
  if (plan.rows.includes('latency')) await lab.latency(SCORED_TOPOLOGY, 0, plan.size.perSecond);
  if (plan.rows.includes('zones'))
    for (const ms of plan.size.between) await lab.latency(`${ms} ms between members`, ms, plan.size.farPerSecond);
  if (plan.rows.includes('faults')) await lab.faults();
  const { size, seed, command } = plan;
  return {
    format: 1,
    about: {
      ...{ startedAt, command, scale: size.name, rounds: size.rounds, seed, machine: machine(), versions: versions() },
      ...{ load: [rounded(before), rounded(loadavg()[0] ?? 0)], control: lab.control },
    },
    columns: plan.columns.map(({ facts }) => facts),
    ...{ latencies: lab.latencies, throughputs: lab.throughputs, faults: lab.faultRuns, skipped: lab.skipped },
  };
}

class Matrix {
  readonly latencies: Latency[] = [];
  readonly throughputs: Throughput[] = [];
  readonly faultRuns: FaultRun[] = [];
  readonly skipped: Skipped[] = [];
  readonly control: number[] = [];
  readonly #random: Random;

  constructor(private readonly plan: Plan) {
    this.#random = new Random(plan.seed);
  }

  async throughput(): Promise<void> {
    const { size, columns } = this.plan;
    const found = new Map(columns.map((column) => [column, [] as Rate[]]));
    // One that does not count: the compiler of Node takes its time from whoever comes first.
    for (const column of columns.slice(0, 1)) await this.#rate(column);
    for (let round = 0; round < size.rounds; round++) {
      const turn = this.#shuffled();
      for (const column of turn) found.get(column)?.push(await this.#rate(column));
      // The first one once more: what it shows now, and what it showed, differ by what else the machine did.
      const [first] = turn;
      if (!first) continue;
      const again = await this.#rate(first);
      this.control.push(rounded(again.perSecond / (found.get(first)?.at(-1)?.perSecond ?? Number.NaN)));
    }
    for (const [{ facts }, rates] of found) {
      const names = Object.keys(rates[0]?.cpuMicros ?? {});
      const cost = names.map((name) => [name, rounded(median(rates.map(({ cpuMicros }) => cpuMicros[name] ?? 0)))]);
      const perSecond = rates.map((rate) => rounded(rate.perSecond));
      this.throughputs.push({
        ...{ column: facts.name, callers: size.callers, perSecond, cpuMicros: Object.fromEntries(cost) },
      });
    }
  }

  async latency(topology: string, between: number, perSecond: number): Promise<void> {
    const { size, columns } = this.plan;
    const found = new Map(columns.map((column) => [column, { write: [] as Round[], read: [] as Round[] }]));
    for (let round = 0; round < size.rounds; round++) {
      for (const column of this.#shuffled()) {
        this.plan.say(`latency, ${topology}: ${column.facts.name}`);
        const { write, read } = await this.#with(column, { apart: false, between }, (opened) =>
          fixedRate(opened, perSecond, size.latencySeconds),
        );
        found.get(column)?.write.push(write);
        found.get(column)?.read.push(read);
      }
    }
    for (const [{ facts }, rounds] of found)
      for (const operation of ['write', 'read'] as const)
        this.latencies.push({
          ...{ column: facts.name, topology, operation, perSecond, ...latencyOf(rounds[operation]) },
        });
  }

  async faults(): Promise<void> {
    const { size } = this.plan;
    const refused = namespacesRefused();
    for (const fault of FAULTS.slice(0, size.faults)) {
      if (fault.needsHosts && refused !== null) {
        this.skipped.push({ row: `fault: ${fault.name}`, reason: `hosts in network namespaces: ${refused}` });
        continue;
      }
      for (let round = 0; round < size.faultRounds; round++)
        for (const column of this.#shuffled()) await this.#fault(column, fault, round, refused === null);
    }
    // In the order of the columns, whatever turn they had.
    const order = COLUMNS.map(({ facts }) => facts.name);
    this.faultRuns.sort((a, b) => a.round - b.round || order.indexOf(a.column) - order.indexOf(b.column));
  }

  /** One that cannot be carried out is told, and the others go on. */
  async #fault(column: Column, fault: MatrixFault, round: number, apart: boolean): Promise<void> {
    const { name } = column.facts;
    try {
      const run = await runFault(column, fault, this.plan.size.times, round, apart);
      this.faultRuns.push(run);
      this.plan.say(`${fault.name}: ${name}: ${run.acked} acknowledged, ${run.lost} lost, gap ${run.gapMs} ms`);
    } catch (error) {
      const reason = error instanceof Error ? error.message.slice(0, 200) : String(error);
      this.skipped.push({ row: `${fault.name}, ${name}, round ${round + 1}`, reason });
      this.plan.say(`${fault.name}: ${name}: ${reason}`);
    }
  }

  async #rate(column: Column): Promise<Rate> {
    const { callers, throughputSeconds } = this.plan.size;
    const place = { apart: false, between: 0 };
    const rate = await this.#with(column, place, (opened, servers) =>
      saturated(opened, servers, callers, throughputSeconds),
    );
    this.plan.say(`throughput: ${column.facts.name}: ${Math.round(rate.perSecond)}/s`);
    return rate;
  }

  async #with<T>(
    column: Column,
    place: Place,
    use: (opened: Awaited<ReturnType<Column['open']>>, servers: Awaited<ReturnType<typeof startServers>>) => Promise<T>,
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

  #shuffled(): Column[] {
    const columns = [...this.plan.columns];
    for (let i = columns.length - 1; i > 0; i--) {
      const j = this.#random.int(0, i);
      [columns[i], columns[j]] = [columns[j] as Column, columns[i] as Column];
    }
    return columns;
  }
}

function latencyOf(rounds: readonly Round[]) {
  const each = (what: (times: readonly number[]) => number): number[] =>
    rounds.map(({ times }) => rounded(what(times)));
  const share = (at: number) => (times: readonly number[]) =>
    times[Math.min(times.length - 1, Math.floor(at * times.length))] ?? 0;
  const all = rounds.flatMap(({ times }) => times).sort((a, b) => a - b);
  return {
    ...{ n: all.length, failed: rounds.reduce((sum, { failed }) => sum + failed, 0) },
    ...{
      p50: each(share(0.5)),
      p99: each(share(0.99)),
      deviation: each(deviation),
      longest: each((t) => t.at(-1) ?? 0),
    },
    ...{ cdf: distribution(all), stale: rounds.reduce((sum, { stale }) => sum + stale, 0) },
    oldestMs: rounded(Math.max(...rounds.map(({ oldestMs }) => oldestMs))),
  };
}

function deviation(times: readonly number[]): number {
  const mean = times.reduce((sum, each) => sum + each, 0) / times.length;
  return Math.sqrt(times.reduce((sum, each) => sum + (each - mean) ** 2, 0) / times.length);
}

function machine(): string {
  const [first] = cpus();
  return `${cpus().length} cores, ${first?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
}

function versions(): Record<string, string> {
  const of = (program: string, pattern: RegExp): string =>
    pattern.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
  return {
    ...{ node: process.versions.node, etcd: of('etcd', /etcd Version: (\S+)/) },
    redis: of('redis-server', /v=(\S+)/),
  };
}
