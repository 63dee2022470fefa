import type { Measured } from './lab.js';
import { median } from './report.js';

export interface Target {
  readonly at: 'least' | 'most';
  readonly value: number;
}

export const atLeast = (value: number): Target => ({ at: 'least', value });
export const atMost = (value: number): Target => ({ at: 'most', value });

/** One ratio of one run. */
export interface Row {
  readonly name: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly pairs: number;
  readonly unit?: string;
  readonly target?: Target;
}

export interface Result {
  readonly rows: readonly Row[];
  /** Absolute figures of this machine on this day. */
  readonly notes: readonly string[];
}

export interface NamedResult extends Result {
  readonly bench: string;
  readonly title: string;
}

/** Pair by pair, so that what slows the machine down for a while slows both. */
export function ratio(
  name: string,
  over: readonly Measured[],
  under: readonly Measured[],
  what: (measured: Measured) => number,
  target?: Target,
): Row {
  return row(
    name,
    over.map((each, i) => what(each) / what(under[i] as Measured)),
    target,
  );
}

export function row(name: string, values: readonly number[], target?: Target, unit?: string): Row {
  return {
    name,
    median: median(values),
    low: Math.min(...values),
    high: Math.max(...values),
    pairs: values.length,
    ...(unit === undefined ? {} : { unit }),
    ...(target === undefined ? {} : { target }),
  };
}

export function isMet({ target, median: value }: Row): boolean | null {
  if (!target) return null;
  return target.at === 'least' ? value >= target.value : value <= target.value;
}

/** `umbra 11,000/s p50 14 p99 40 ms; µs per operation: node 70, etcd 20, load 20`. */
export function note(name: string, samples: readonly Measured[]): string {
  const of = (what: (measured: Measured) => number): number => median(samples.map(what));
  const cost = Object.keys(samples[0]?.cost ?? {}).map(
    (key) => `${key} ${of((each) => each.cost[key] ?? 0).toFixed(1)}`,
  );
  const rate = Math.round(of((each) => each.perSecond)).toLocaleString('en');
  const p50 = of((each) => each.p50).toFixed(2);
  const p99 = of((each) => each.p99).toFixed(1);
  return `${name}: ${rate}/s, p50 ${p50}, p99 ${p99} ms; µs of processor per operation: ${cost.join(', ')}`;
}

export const perSecond = (measured: Measured): number => measured.perSecond;
export const p50 = (measured: Measured): number => measured.p50;
export const p99 = (measured: Measured): number => measured.p99;
