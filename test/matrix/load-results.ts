import { median } from '../bench/statistics.js';
import type { Column } from './columns.js';
import type { Rate, Round } from './loads.js';
import { figuresOf, rounded } from './latency-figures.js';
import type { Latency, LoadName, MatrixRun } from './matrix-run.js';
import type { ByGroup } from './usage.js';

interface Series {
  readonly column: string;
  readonly topology: string;
  readonly load: LoadName;
  readonly perSecond: { readonly write: number[]; readonly read: number[] };
  readonly rounds: { readonly write: Round[]; readonly read: Round[] };
}

/** What the loads of all rounds have shown. */
export class LoadResults {
  readonly #series = new Map<string, Series>();
  readonly #rates = new Map<string, { readonly callers: number; readonly rates: Rate[] }>();
  readonly #memories = new Map<string, { readonly shadows: number; readonly bytes: ByGroup[] }>();

  rate({ facts: { name } }: Column, callers: number, rate: Rate): void {
    const known = this.#rates.get(name) ?? { callers, rates: [] };
    known.rates.push(rate);
    this.#rates.set(name, known);
  }

  memory({ facts: { name } }: Column, shadows: number, bytes: ByGroup): void {
    const known = this.#memories.get(name) ?? { shadows, bytes: [] };
    known.bytes.push(bytes);
    this.#memories.set(name, known);
  }

  latency(
    { facts: { name } }: Column,
    where: { readonly topology: string; readonly load: LoadName; readonly writes: number; readonly reads: number },
    { write, read }: { readonly write: Round; readonly read: Round },
  ): void {
    const { topology, load, writes, reads } = where;
    const key = JSON.stringify([name, topology, load]);
    const series = this.#series.get(key) ?? {
      ...{ column: name, topology, load, perSecond: { write: [], read: [] }, rounds: { write: [], read: [] } },
    };
    this.#series.set(key, series);
    series.perSecond.write.push(rounded(writes));
    series.perSecond.read.push(rounded(reads));
    series.rounds.write.push(write);
    series.rounds.read.push(read);
  }

  /** Updates a second of the column in the last round; undefined: not measured. */
  lastRate({ facts: { name } }: Column): number | undefined {
    return this.#rates.get(name)?.rates.at(-1)?.perSecond;
  }

  all(): Pick<MatrixRun, 'latencies' | 'throughputs' | 'memories'> {
    return {
      latencies: [...this.#series.values()].flatMap(latenciesOf),
      throughputs: [...this.#rates].map(([column, { callers, rates }]) => ({
        ...{ column, callers, perSecond: rates.map(({ perSecond }) => rounded(perSecond)) },
        cpuMicros: medians(rates.map(({ used }) => used.cpuMicros)),
        diskBytes: medians(rates.map(({ used }) => used.diskBytes)),
        networkBytes: networkOf(rates),
      })),
      memories: [...this.#memories].map(([column, { shadows, bytes }]) => ({ column, shadows, bytes: lists(bytes) })),
    };
  }
}

const latenciesOf = ({ column, topology, load, perSecond, rounds }: Series): Latency[] =>
  (['write', 'read'] as const).map((operation) => ({
    ...{ column, topology, load, operation, perSecond: perSecond[operation], ...figuresOf(rounds[operation]) },
  }));

const lists = (all: readonly ByGroup[]): Readonly<Record<string, readonly number[]>> =>
  Object.fromEntries(Object.keys(all[0] ?? {}).map((name) => [name, all.map((each) => rounded(each[name] ?? 0))]));

const medians = (all: readonly ByGroup[]): ByGroup =>
  Object.fromEntries(Object.entries(lists(all)).map(([name, values]) => [name, rounded(median(values))]));

function networkOf(rates: readonly Rate[]): number | null {
  const bytes = rates.flatMap(({ used: { networkBytes } }) => (networkBytes === null ? [] : [networkBytes]));
  return bytes.length === 0 ? null : rounded(median(bytes));
}
