import { median } from '../bench/statistics.js';
import { mean } from './figures.js';
import type { MatrixRun } from './matrix-run.js';

/** Columns that are closer to each other may change places from run to run. */
const FACTOR = 1.5;

export interface Comparison {
  /** Pairs of columns, of all rows, that are further apart than that in the first run. */
  readonly pairs: number;
  readonly rows: number;
  /** Pairs that the second run has in the other order, in words. */
  readonly turned: readonly string[];
}

/** Whether a second run has the columns of each row in the order of the first one. No errors. */
export function compareRuns(first: MatrixRun, second: MatrixRun): Comparison {
  const later = figuresOf(second);
  const turned: string[] = [];
  let pairs = 0;
  const rows = figuresOf(first);
  for (const [row, columns] of rows) {
    const there = later.get(row);
    for (const [low, less] of columns)
      for (const [high, more] of columns) {
        const [lessThere, moreThere] = [there?.get(low), there?.get(high)];
        if (!(more > less * FACTOR) || lessThere === undefined || moreThere === undefined) continue;
        pairs++;
        if (moreThere <= lessThere)
          turned.push(`${row}: ${low} ${less}, ${high} ${more}; then ${low} ${lessThere}, ${high} ${moreThere}`);
      }
  }
  return { pairs, rows: rows.size, turned };
}

type Figures = Map<string, Map<string, number>>;

/** One figure for each row and column. */
function figuresOf(run: MatrixRun): Figures {
  const figures: Figures = new Map();
  const note = (row: string, column: string, value: number): void => {
    const columns = figures.get(row) ?? new Map<string, number>();
    figures.set(row, columns.set(column, value));
  };
  const sum = (parts: Readonly<Record<string, number>>): number =>
    Object.values(parts).reduce((all, each) => all + each, 0);
  for (const { column, topology, load, operation, p50, p99 } of run.latencies) {
    note(`P50 of ${operation}s, ${topology}, ${load}`, column, median(p50));
    note(`P99 of ${operation}s, ${topology}, ${load}`, column, median(p99));
  }
  for (const { column, perSecond, cpuMicros, diskBytes, networkBytes } of run.throughputs) {
    note('updates per second', column, median(perSecond));
    note('processor per update', column, sum(cpuMicros));
    note('bytes to the disk per update', column, sum(diskBytes));
    if (networkBytes !== null) note('bytes between hosts per update', column, networkBytes);
  }
  for (const { column, bytes } of run.memories)
    note(
      'memory per shadow',
      column,
      Object.values(bytes).reduce((all, values) => all + mean(values), 0),
    );
  for (const fault of new Set(run.faults.map((each) => each.fault)))
    for (const column of new Set(run.faults.map((each) => each.column))) {
      const runs = run.faults.filter((each) => each.fault === fault && each.column === column);
      if (runs.length === 0) continue;
      note(`lost: ${fault}`, column, median(runs.map(({ lost }) => lost)));
      note(`gap: ${fault}`, column, median(runs.map(({ gapMs }) => gapMs)));
    }
  return figures;
}

/** No errors. */
export function comparisonText({ pairs, rows, turned }: Comparison): string {
  const about = `${pairs} pairs of columns in ${rows} rows are more than a factor of ${FACTOR} apart`;
  if (turned.length === 0) return `${about}; the other run has all of them in the same order`;
  return [`${about}; the other run has ${turned.length} of them in the other order:`, ...turned].join('\n');
}
