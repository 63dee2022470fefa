import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { namespacesRefused } from '../faults/faults/namespaces.js';
import { Random } from '../faults/plans/random.js';
import { callTimeouts } from './call-timeout.js';
import { COLUMNS, type Column } from './columns.js';
import { runFault } from './fault-run.js';
import { FORMAT, type CallTimeout, type FaultRun, type MatrixRun, type Skipped } from './matrix-run.js';
import { LoadResults } from './load-results.js';
import { faultsOf, includes, roundsOf, type LoadRow, type Plan, type PlannedFault } from './plan.js';
import { rounded } from './latency-figures.js';
import { disksRefused } from './small-disk.js';
import { visitFar, visitThreeHosts } from './visits.js';

/** Everything that was chosen, on this machine. @throws Error when servers do not start */
export async function measure(plan: Plan): Promise<MatrixRun> {
  const startedAt = new Date().toISOString();
  const before = loadavg()[0] ?? 0;
  const lab = new Matrix(plan);
  await lab.loads();
  await lab.faults();
  const { size, seed, command } = plan;
  return {
    format: FORMAT,
    about: {
      ...{ startedAt, command, scale: size.name, rounds: roundsOf(plan), seed, machine: machine() },
      ...{ versions: versions(), load: [rounded(before), rounded(loadavg()[0] ?? 0)], control: lab.control },
    },
    columns: plan.columns.map(({ facts }) => facts),
    ...lab.results.all(),
    callTimeouts: includes(plan, 'call-timeout') ? await lab.callTimeouts() : [],
    ...{ faults: lab.faultRuns, skipped: lab.skipped },
  };
}

class Matrix {
  readonly results = new LoadResults();
  readonly faultRuns: FaultRun[] = [];
  readonly skipped: Skipped[] = [];
  readonly control: number[] = [];
  readonly #random: Random;
  /** Why servers have no hosts of their own; null: they have. */
  readonly #refused = namespacesRefused();

  constructor(private readonly plan: Plan) {
    this.#random = new Random(plan.seed);
  }

  async loads(): Promise<void> {
    const { plan } = this;
    const has = (...rows: LoadRow[]): boolean => rows.some((row) => includes(plan, row));
    if (has('throughput', 'half', 'latency', 'devices')) await this.#threeHosts();
    if (has('one-host')) await this.#far('one host', 0, 1, plan.size.perSecond);
    if (has('zones'))
      for (const ms of plan.size.between) await this.#far(`${ms} ms between members`, ms, 3, plan.size.farPerSecond);
  }

  async #threeHosts(): Promise<void> {
    const { plan } = this;
    const apart = this.#refused === null;
    if (!apart)
      this.skipped.push({ row: 'bytes between hosts', failed: false, reason: `network namespaces: ${this.#refused}` });
    // One that does not count: the compiler of Node takes its time from whoever comes first.
    for (const column of plan.columns.slice(0, 1)) await visitThreeHosts(plan, column, apart, null);
    for (let round = 0; round < roundsOf(plan); round++) {
      const turn = this.#shuffled(plan.columns);
      for (const column of turn) {
        plan.say(`round ${round + 1}: loads: ${column.facts.name}`);
        await visitThreeHosts(plan, column, apart, this.results);
      }
      // The first one once more: what it shows now, and what it showed, differ by what else the machine did.
      const [first] = turn;
      const shown = first && this.results.lastRate(first);
      if (!first || shown === undefined) continue;
      const again = await visitThreeHosts(plan, first, apart, null);
      if (again !== null) this.control.push(rounded(again / shown));
    }
  }

  async #far(topology: string, between: number, hosts: 1 | 3, perSecond: number): Promise<void> {
    const columns = this.plan.columns.filter(({ facts, needs }) => {
      if (hosts > 1 || !needs.replica) return true;
      this.skipped.push({
        row: `${topology}, ${facts.name}`,
        failed: false,
        reason: 'it writes only where there is a replica',
      });
      return false;
    });
    for (let round = 0; round < roundsOf(this.plan); round++)
      for (const column of this.#shuffled(columns)) {
        this.plan.say(`round ${round + 1}: ${topology}: ${column.facts.name}`);
        await visitFar(this.plan, column, { topology, between, hosts, perSecond }, this.results);
      }
  }

  async faults(): Promise<void> {
    for (const planned of faultsOf(this.plan)) {
      const reason = this.#refusal(planned);
      if (reason !== null) this.skipped.push({ row: `fault: ${planned.fault.name}`, failed: false, reason });
      else
        for (let round = 0; round < planned.rounds; round++)
          for (const column of this.#shuffled(planned.columns)) await this.#fault(column, planned, round);
    }
    // In the order of the columns, whatever turn they had.
    const order = COLUMNS.map(({ facts }) => facts.name);
    this.faultRuns.sort((a, b) => a.round - b.round || order.indexOf(a.column) - order.indexOf(b.column));
  }

  /** Why the fault cannot be carried out here, or null. */
  #refusal({ fault: { needs } }: PlannedFault): string | null {
    if (needs === 'hosts' && this.#refused !== null) return `hosts in network namespaces: ${this.#refused}`;
    const refused = needs === 'disks' ? disksRefused(tmpdir()) : null;
    return refused === null ? null : `disks of their own: ${refused}`;
  }

  /** One that cannot be carried out is told, and the others go on. */
  async #fault(column: Column, { fault }: PlannedFault, round: number): Promise<void> {
    const { name } = column.facts;
    try {
      const run = await runFault(column, fault, this.plan.size.times, round, this.#refused === null);
      this.faultRuns.push(run);
      this.plan.say(`${fault.name}: ${name}: ${run.acked} acknowledged, ${run.lost} lost, gap ${run.gapMs} ms`);
    } catch (error) {
      const reason = error instanceof Error ? error.message.slice(0, 200) : String(error);
      this.skipped.push({ row: `${fault.name}, ${name}, round ${round + 1}`, failed: true, reason });
      this.plan.say(`${fault.name}: ${name}: ${reason}`);
    }
  }

  callTimeouts(): Promise<CallTimeout[]> {
    return callTimeouts(this.plan, this.#refused === null);
  }

  #shuffled(all: readonly Column[]): Column[] {
    const columns = [...all];
    for (let i = columns.length - 1; i > 0; i--) {
      const j = this.#random.int(0, i);
      [columns[i], columns[j]] = [columns[j] as Column, columns[i] as Column];
    }
    return columns;
  }
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
