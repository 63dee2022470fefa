import { appendFileSync, writeFileSync } from 'node:fs';
import type { Result } from './run-scenario.js';

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One line of a scenario, and its violations below. */
export function tell({ scenario, seed, violations, skipped, figures, faults }: Result): void {
  if (skipped !== null) return say(`skip  ${scenario}: ${skipped}`);
  const head = violations.length === 0 ? 'ok   ' : 'FAIL ';
  const f = figures;
  const numbers = f
    ? `${f.seconds} s, ${f.acked} acked (${f.deletions} deletions), ${f.rejected} rejected, ${f.maybe} in doubt, ${f.reads} reads, ${f.lists} lists, ${f.transactions} transactions, ${f.messages} messages, ` +
      `${f.changes} changes, gap ${f.longestGapMs} ms, ${f.maxMemoryMb} MB`
    : '';
  say(`${head} ${scenario} (seed ${seed}): ${numbers} [${faults.join('; ')}]`);
  for (const { promise, text } of violations) say(`      ${promise}: ${text}`);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

export interface Summary {
  readonly scenarios: number;
  readonly failed: number;
  readonly skipped: number;
  readonly acked: number;
  readonly maybe: number;
  readonly deletions: number;
  readonly reads: number;
  readonly lists: number;
  readonly transactions: number;
  readonly changes: number;
  readonly messages: number;
}

export function summarize(results: readonly Result[]): Summary {
  const sum = (of: (result: Result) => number | undefined): number =>
    results.reduce((total, result) => total + (of(result) ?? 0), 0);
  return {
    scenarios: results.length,
    failed: results.filter(({ violations }) => violations.length > 0).length,
    skipped: results.filter(({ skipped }) => skipped !== null).length,
    acked: sum(({ figures }) => figures?.acked),
    maybe: sum(({ figures }) => figures?.maybe),
    deletions: sum(({ figures }) => figures?.deletions),
    reads: sum(({ figures }) => figures?.reads),
    lists: sum(({ figures }) => figures?.lists),
    transactions: sum(({ figures }) => figures?.transactions),
    changes: sum(({ figures }) => figures?.changes),
    messages: sum(({ figures }) => figures?.messages),
  };
}

/** One JSON line at a time, so that a run that is ended early has told what it saw. */
export class JsonLines {
  constructor(private readonly file: string | null) {
    if (file !== null) writeFileSync(file, '');
  }

  write(value: unknown): void {
    if (this.file !== null) appendFileSync(this.file, `${JSON.stringify(value)}\n`);
  }
}
