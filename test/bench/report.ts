import type { NamedResult, Row } from './result.js';
import { isMet } from './result.js';

/** Figures of one run. Only ratios within one run mean anything on a shared machine; the rest is a footnote. */

export interface Spread {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    n: sorted.length,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const number = (value: number): string => (value < 100 ? value.toFixed(2) : value.toFixed(0));

/** A plain table: one row a line, columns aligned. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((cells) => cells[column]?.length ?? 0)));
  return all
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function show({ bench, title, rows, notes }: NamedResult): string {
  const text = table(['ratio', 'median', 'spread', 'pairs', 'target', ''], rows.map(cells));
  return `\n${bench}: ${title}\n${text}\n${notes.map((each) => `  ${each}\n`).join('')}`;
}

function cells(row: Row): string[] {
  const { name, median: middle, low, high, pairs, target, unit = '' } = row;
  const met = isMet(row);
  const aim = target ? `${target.at === 'least' ? '>=' : '<='} ${target.value}` : '';
  return [
    name,
    `${number(middle)}${unit}`,
    `${number(low)} … ${number(high)}`,
    String(pairs),
    aim,
    met === null ? '' : met ? 'met' : 'MISSED',
  ];
}
