import type { Column } from './columns.js';
import { FAULTS, type MatrixFault } from './faults.js';
import type { Size } from './sizes.js';

/** Rows that measure; `call-timeout` is of Umbra alone, and of a run only when it is named. */
const LOADS = ['throughput', 'half', 'latency', 'devices', 'one-host', 'zones'] as const;
const ALONE = ['call-timeout'] as const;
export type LoadRow = (typeof LOADS)[number] | (typeof ALONE)[number];

/** As `--rows` takes them; `faults` stands for all those of the size. */
export const MATRIX_ROWS: readonly string[] = [...LOADS, 'faults', ...FAULTS.map(({ row }) => row), ...ALONE];
/** Where `--rows` is not given. */
export const USUAL_ROWS: readonly string[] = [...LOADS, 'faults'];

export interface Plan {
  readonly size: Size;
  readonly columns: readonly Column[];
  readonly rows: readonly string[];
  /** Instead of those of the size, of every row. */
  readonly rounds: number | null;
  /** Decides in which order the columns have their turns. */
  readonly seed: number;
  readonly command: string;
  readonly say: (text: string) => void;
}

export interface PlannedFault {
  readonly fault: MatrixFault;
  readonly columns: readonly Column[];
  readonly rounds: number;
}

/** No errors. */
export const includes = ({ rows }: Plan, row: LoadRow): boolean => rows.includes(row);

export const roundsOf = ({ size, rounds }: Plan): number => rounds ?? size.rounds;

/** Faults of the plan, in the order of the list. No errors. */
export function faultsOf({ size, rows, rounds, columns }: Plan): PlannedFault[] {
  return FAULTS.flatMap((fault) => {
    const usual = size.faults[fault.row];
    const isNamed = rows.includes(fault.row);
    if (!isNamed && (usual === undefined || !rows.includes('faults'))) return [];
    const { only } = fault;
    const having = columns.filter(({ facts }) => only === undefined || only.includes(facts.name));
    return having.length === 0 ? [] : [{ fault, columns: having, rounds: rounds ?? usual ?? 1 }];
  });
}

/** Seconds on a machine with nothing else to do: for servers to start, with and without hosts, and to be whole again. */
const SECONDS = { start: 5, far: 2, settle: 5, create: 3, kill: 3, stops: 20 };
const SESSION: readonly LoadRow[] = ['throughput', 'half', 'latency', 'devices'];

export interface Estimate {
  readonly parts: readonly (readonly [name: string, seconds: number])[];
  readonly seconds: number;
}

/** How long the plan takes. No errors. */
export function estimateOf(plan: Plan): Estimate {
  const { size, columns } = plan;
  const { latencySeconds, throughputSeconds, times } = size;
  const turns = columns.length * roundsOf(plan);
  const has = (row: LoadRow): boolean => includes(plan, row);
  // Warming goes before each window.
  const saturating = has('throughput') || has('half') ? throughputSeconds * 2 : 0;
  const session =
    saturating +
    (has('half') ? latencySeconds : 0) +
    (has('latency') ? latencySeconds : 0) +
    (has('devices') ? SECONDS.create + latencySeconds : 0);
  const control = (SECONDS.start + saturating) * (roundsOf(plan) + 1);
  const fault = SECONDS.start + (times.calm + times.hold + times.rest) / 1000 + SECONDS.settle;
  const far = SECONDS.far + latencySeconds;
  const parts: [string, number][] = [
    ['loads on three hosts', SESSION.some(has) ? turns * (SECONDS.start + session) + control : 0],
    ['one host', has('one-host') ? turns * far : 0],
    ['zones', has('zones') ? turns * far * size.between.length : 0],
    ['faults', faultsOf(plan).reduce((sum, { columns, rounds }) => sum + columns.length * rounds * fault, 0)],
    ['call timeouts', has('call-timeout') ? 6 * (SECONDS.start + size.kills * SECONDS.kill + SECONDS.stops) : 0],
  ];
  return {
    parts: parts.filter(([, seconds]) => seconds > 0),
    seconds: parts.reduce((sum, [, seconds]) => sum + seconds, 0),
  };
}

/** `about 58 minutes: loads on three hosts 14, ...`. No errors. */
export function estimateText({ parts, seconds }: Estimate): string {
  const minutes = (value: number): string => (value / 60).toFixed(1);
  const each = parts.map(([name, value]) => `${name} ${minutes(value)}`).join(', ');
  return `about ${minutes(seconds)} minutes on a machine with nothing else to do: ${each}`;
}
