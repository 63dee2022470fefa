import { readFileSync } from 'node:fs';
import { number, table } from './report.js';
import type { NamedResult, Row } from './result.js';

/**
 * `npm run bench:compare [OLD] NEW`: the ratios of two runs side by side. OLD is the stored baseline when it is left out.
 * Where the spreads do not overlap, it is said: that is no noise. Exits with 1 when such a change is for the worse.
 */
/** Stored by whoever has made a full run on a quiet machine. */
const BASELINE = 'test/bench/baseline.json';

interface Run {
  readonly scale: string;
  readonly at: string;
  readonly results: readonly NamedResult[];
}

const files = process.argv.slice(2);
const [oldFile, newFile] = files.length === 1 ? [BASELINE, files[0]] : files;
if (oldFile === undefined || newFile === undefined) {
  process.stderr.write('usage: npm run bench:compare -- [OLD.json] NEW.json\n');
  process.exit(2);
}
const before = read(oldFile);
const after = read(newFile);
let worse = 0;
const rows: string[][] = [];
for (const { bench, rows: now } of after.results) {
  const then = before.results.find((result) => result.bench === bench);
  for (const row of now) {
    const old = then?.rows.find(({ name }) => name === row.name);
    if (old) rows.push([bench, row.name, number(old.median), number(row.median), percent(old, row), verdict(old, row)]);
  }
}
process.stdout.write(`${oldFile} (${before.scale}, ${before.at}) and ${newFile} (${after.scale}, ${after.at})\n`);
process.stdout.write(`${table(['bench', 'ratio', 'before', 'now', 'change', ''], rows)}\n`);
process.exit(worse > 0 ? 1 : 0);

function read(file: string): Run {
  return JSON.parse(readFileSync(file, 'utf8')) as Run;
}

function percent(old: Row, row: Row): string {
  const change = (row.median / old.median - 1) * 100;
  return `${change >= 0 ? '+' : ''}${change.toFixed(0)} %`;
}

function verdict(old: Row, row: Row): string {
  if (row.low <= old.high && old.low <= row.high) return 'within the spread';
  const higher = row.median > old.median;
  // Without a target nobody has said which way is good.
  if (!row.target) return higher ? 'higher' : 'lower';
  const better = higher === (row.target.at === 'least');
  if (!better) worse++;
  return better ? 'BETTER' : 'WORSE';
}
