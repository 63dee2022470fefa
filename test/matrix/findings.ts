import { median } from '../bench/statistics.js';
import type { MatrixRun } from './matrix-run.js';
import type { Findings } from './score.js';
import { JUDGED } from './judge.js';

/** The topology that scores are made of. */
export const SCORED_TOPOLOGY = 'three hosts';

/** What a score asks of each column, out of the run. No errors. */
export function findingsOf(run: MatrixRun): Findings[] {
  return run.columns.map(({ name, operations }) => {
    const latency = (operation: 'write' | 'read'): number | null => {
      const found = run.latencies.find(
        (each) =>
          each.column === name &&
          each.operation === operation &&
          each.load === 'fixed' &&
          each.topology === SCORED_TOPOLOGY,
      );
      return found ? median(found.p99) : null;
    };
    const faults = run.faults.filter(({ column }) => column === name);
    const cost = run.throughputs.find(({ column }) => column === name)?.cpuMicros;
    const isJudged = faults.length > 0;
    return {
      column: name,
      lost: isJudged ? faults.reduce((sum, { lost }) => sum + lost, 0) : null,
      broken: isJudged ? new Set(faults.flatMap(({ broken }) => broken.map(({ promise }) => promise))).size : null,
      judged: JUDGED.length,
      ...{ writeP99: latency('write'), readP99: latency('read') },
      served: isJudged ? faults.reduce((sum, { served }) => sum + served, 0) / faults.length : null,
      operations: operations.score,
      cpuMicros: cost ? Object.values(cost).reduce((sum, micros) => sum + micros, 0) : null,
    };
  });
}
