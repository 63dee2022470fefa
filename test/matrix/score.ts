import { normalised, ROWS, type Profile, type Row, type Weights } from './profile.js';

/** What was found out about one column, as far as a score asks for it; null: not measured in this run. */
export interface Findings {
  readonly column: string;
  /** Acknowledged writes that were gone afterwards, over all faults. */
  readonly lost: number | null;
  /** Promises that were broken in any run, and those that were judged. */
  readonly broken: number | null;
  readonly judged: number;
  /** Milliseconds at the fixed rate. */
  readonly writeP99: number | null;
  readonly readP99: number | null;
  /** Share of the time of faults in which writes were acknowledged, 0 to 1. */
  readonly served: number | null;
  /** From 0 to 1, and no measurement: columns.ts has the reasons. */
  readonly operations: number;
  /** Microseconds of processor for one update, of all processes. */
  readonly cpuMicros: number | null;
}

/** From 0 to 1; null: not measured. */
export type RowScores = Readonly<Record<Row, number | null>>;

export interface Score {
  readonly column: string;
  readonly total: number;
  readonly rows: RowScores;
  /** What each row adds to the total; they add up to it. */
  readonly contributions: Readonly<Record<Row, number>>;
  /** It has lost acknowledged writes, which the profile forbids. */
  readonly gated: boolean;
}

export interface Ranking {
  readonly profile: Profile;
  /** The best first; of equal ones, in the order of the columns. */
  readonly scores: readonly Score[];
  /** Rows that were not measured for every column: they count for none. */
  readonly leftOut: readonly Row[];
}

export const LATENCY_FORMULA = '1 − log10(P99 + 1) / log10(limit + 1), from 0 to 1; the mean of write and read';
export const AVAILABILITY_FORMULA = '(served − alpha) / (1 − alpha), from 0 to 1';
export const CONSISTENCY_FORMULA =
  '0 where an acknowledged write was lost and the profile forbids it, else 1 − broken promises / judged promises';
export const COST_FORMULA = 'processor time per update of the cheapest column / that of this one';

/** @param ms P99 @param limitMs scores 0, as all above it. No errors. */
export function latencyScore(ms: number, limitMs: number): number {
  return clipped(1 - Math.log10(ms + 1) / Math.log10(limitMs + 1));
}

/** @param served share of time @param alpha share that scores 0. No errors. */
export function availabilityScore(served: number, alpha: number): number {
  return clipped((served - alpha) / (1 - alpha));
}

/** Every column under one profile. No errors. */
export function rank(profile: Profile, all: readonly Findings[]): Ranking {
  const cheapest = Math.min(...all.map(({ cpuMicros }) => cpuMicros ?? Infinity));
  const scored = all.map((each) => ({ each, rows: rowsOf(profile, each, cheapest) }));
  const leftOut = ROWS.filter((row) => scored.some(({ rows }) => rows[row] === null));
  const weights = weightsOf(profile, leftOut);
  const scores = scored.map(({ each, rows }) => scoreOf(each, rows, weights, profile));
  return { profile, leftOut, scores: [...scores].sort((a, b) => b.total - a.total) };
}

export interface Change {
  readonly row: Row;
  /** The weight from which on `to` wins instead of `from`. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
}

export interface Sweep {
  readonly row: Row;
  readonly points: readonly { readonly weight: number; readonly totals: Readonly<Record<string, number>> }[];
  readonly changes: readonly Change[];
}

/** Steps of a sweep, which are a hundredth each. */
const STEPS = 100;

/** The totals as one weight goes from 0 to 1, while the others keep their proportions. No errors. */
export function sweep(ranking: Ranking): readonly Sweep[] {
  const { profile, leftOut } = ranking;
  const rows = ROWS.filter((row) => !leftOut.includes(row));
  if (rows.length < 2) return [];
  return rows.map((row) => {
    const points = Array.from({ length: STEPS + 1 }, (_, step) => {
      const weights = withWeight(profile.weights, rows, row, step / STEPS);
      const totals = ranking.scores.map((score) => [score.column, totalOf(score.rows, weights)] as const);
      return { weight: step / STEPS, totals: Object.fromEntries(totals) };
    });
    return { row, points, changes: changesOf(row, points) };
  });
}

function changesOf(row: Row, points: Sweep['points']): Change[] {
  const changes: Change[] = [];
  let before: string | null = null;
  for (const { weight, totals } of points) {
    const winner = winnerOf(totals, before);
    if (before !== null && winner !== before) changes.push({ row, at: weight, from: before, to: winner });
    before = winner;
  }
  return changes;
}

/** Equal totals change nothing. */
function winnerOf(totals: Readonly<Record<string, number>>, before: string | null): string {
  const entries = Object.entries(totals);
  const most = Math.max(...entries.map(([, total]) => total));
  if (before !== null && most - (totals[before] ?? 0) < 1e-9) return before;
  return entries.find(([, total]) => total === most)?.[0] ?? '';
}

function withWeight(weights: Weights, rows: readonly Row[], row: Row, weight: number): Weights {
  const others = rows.filter((each) => each !== row);
  const sum = others.reduce((total, each) => total + weights[each], 0);
  const share = (each: Row): number => (sum === 0 ? 1 / others.length : weights[each] / sum);
  const of = (each: Row): number => (each === row ? weight : others.includes(each) ? share(each) * (1 - weight) : 0);
  return Object.fromEntries(ROWS.map((each) => [each, of(each)])) as Record<Row, number>;
}

function rowsOf(profile: Profile, found: Findings, cheapest: number): RowScores {
  const { writeP99, readP99, served, cpuMicros } = found;
  const latency = (ms: number): number => latencyScore(ms, profile.limitMs);
  return {
    consistency: consistencyScore(profile, found),
    latency: writeP99 === null || readP99 === null ? null : (latency(writeP99) + latency(readP99)) / 2,
    availability: served === null ? null : availabilityScore(served, profile.alpha),
    operations: found.operations,
    cost: cpuMicros === null ? null : cheapest / cpuMicros,
  };
}

function consistencyScore({ forbidsLoss }: Profile, { lost, broken, judged }: Findings): number | null {
  if (lost === null || broken === null) return null;
  return forbidsLoss && lost > 0 ? 0 : clipped(1 - broken / judged);
}

/** Of the rows that count; where the profile gives weight to none of them, all of them weigh the same. */
function weightsOf({ weights }: Profile, leftOut: readonly Row[]): Weights {
  const counts = (row: Row): boolean => !leftOut.includes(row);
  const isEmpty = ROWS.every((row) => !counts(row) || weights[row] === 0);
  return normalised((row) => (!counts(row) ? 0 : isEmpty ? 1 : weights[row]));
}

function scoreOf(found: Findings, rows: RowScores, weights: Weights, profile: Profile): Score {
  const contributions = Object.fromEntries(ROWS.map((row) => [row, (rows[row] ?? 0) * weights[row]]));
  return {
    column: found.column,
    total: totalOf(rows, weights),
    rows,
    contributions: contributions as Record<Row, number>,
    gated: profile.forbidsLoss && (found.lost ?? 0) > 0,
  };
}

function totalOf(rows: RowScores, weights: Weights): number {
  return ROWS.reduce((total, row) => total + (rows[row] ?? 0) * weights[row], 0);
}

const clipped = (value: number): number => Math.min(1, Math.max(0, value));
