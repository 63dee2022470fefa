import { readFileSync, writeFileSync } from 'node:fs';
import { number } from './report.js';
import { isMet, type NamedResult, type Row } from './result.js';

/** Between these lines of a page a run writes its table; whatever stood there goes. */
const BEGIN = '<!-- table of the benches: begin -->';
const END = '<!-- table of the benches: end -->';

/**
 * @param about the run, in a sentence
 * @throws Error when the page has no place for the table
 */
export function intoPage(file: string, about: string, results: readonly NamedResult[]): void {
  const page = readFileSync(file, 'utf8');
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${file} has no "${BEGIN}" with "${END}" behind it`);
  writeFileSync(file, `${page.slice(0, from)}${BEGIN}\n\n${about}\n\n${markdown(results)}\n\n${page.slice(to)}`);
}

/** With its columns aligned, as the check of the format wants them. */
function markdown(results: readonly NamedResult[]): string {
  const head = ['bench', 'row', 'median', 'spread', 'target', ''];
  const rows = results.flatMap(({ bench, rows: all }) => all.map((row) => [`\`${bench}\``, ...cells(row)]));
  const widths = head.map((_, i) => Math.max(3, ...[head, ...rows].map((line) => line[i]?.length ?? 0)));
  const lines = [head, widths.map((width) => '-'.repeat(width)), ...rows];
  return lines.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`).join('\n');
}

function cells(row: Row): string[] {
  const { name, median, low, high, target, unit = '' } = row;
  const met = isMet(row);
  const aim = target ? `${target.at === 'least' ? '>=' : '<='} ${target.value}${unit}` : '';
  const spread = row.pairs > 1 ? `${number(low)} … ${number(high)}` : '';
  return [name, `${number(median)}${unit}`, spread, aim, met === null ? '' : met ? 'met' : '**missed**'];
}
