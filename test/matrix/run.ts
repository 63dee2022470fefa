import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { reasonOf } from '../../src/telemetry/reason.js';
import { PROFILES, profileOfFile } from './profiles.js';
import { COLUMNS } from './columns.js';
import { choose } from './choose.js';
import { compareRuns, comparisonText } from './compare.js';
import { measure } from './measure.js';
import { FORMAT, type MatrixRun } from './matrix-run.js';
import { estimateOf, estimateText, MATRIX_ROWS, USUAL_ROWS, type Plan } from './plan.js';
import { ProfileFault } from './profile.js';
import { reportOf } from './report.js';
import { SIZES } from './sizes.js';

const USAGE = `npm run matrix -- [--quick | --smoke] [--columns a,b] [--rows a,b] [--rounds N] [--profile FILE] [--seed N] [--out FOLDER]
  columns: ${COLUMNS.map(({ facts }) => facts.name).join(', ')}
  rows: ${MATRIX_ROWS.join(', ')}
npm run matrix -- --report matrix.json [--profile FILE] [--out FOLDER]   makes the report of a run again
npm run matrix -- --report matrix.json --compare other.json   says whether both have the columns in one order`;

/** Servers, disks and hosts at a time. */
const MAX_OWNED = 50;

/** Everything that the run writes is here, and goes with it. */
const folder = mkdtempSync(join(tmpdir(), 'umbra-matrix-'));
process.env['TMPDIR'] = folder;

/** Servers and namespaces are ended by what began them, as this process exits; their files go after that. */
function leave(code: number): never {
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  process.exit(code);
}

// Each server, disk and host of a fault ends with this process.
process.setMaxListeners(MAX_OWNED);

for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const])
  process.once(signal, () => leave(code));

// Such as that nobody reads what it says any more.
process.once('uncaughtException', (error) => {
  process.once('uncaughtException', () => leave(1));
  process.stderr.write(`${String(error.stack)}\n`, () => leave(1));
});

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      ...{ quick: { type: 'boolean' }, smoke: { type: 'boolean' }, help: { type: 'boolean' } },
      ...{ columns: { type: 'string' }, rows: { type: 'string' }, profile: { type: 'string' } },
      ...{ seed: { type: 'string' }, rounds: { type: 'string' }, out: { type: 'string' }, report: { type: 'string' } },
      compare: { type: 'string' },
    } as const,
  });
  if (values.help) return void process.stdout.write(`${USAGE}\n`);
  if (values.compare !== undefined) return compare(values.report, values.compare);
  const out = values.out ?? 'data/matrix';
  const profiles = values.profile === undefined ? PROFILES() : [profileOfFile(values.profile)];
  const run = values.report === undefined ? await measured(values) : runOfFile(values.report);
  // A smoke run is there to show that every part runs.
  if (values.smoke && run.skipped.some(({ failed }) => failed)) process.exitCode = 1;
  const { markdown, html } = reportOf(run, profiles);
  mkdirSync(out, { recursive: true });
  const files = { 'matrix.json': `${JSON.stringify(run)}\n`, 'matrix.md': markdown, 'matrix.html': html };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(out, name), text);
  process.stdout.write(
    `${Object.keys(files)
      .map((name) => join(out, basename(name)))
      .join(', ')}\n`,
  );
}

/** @throws ProfileFault */
function compare(report: string | undefined, other: string): void {
  if (report === undefined) throw new ProfileFault('--compare needs --report FILE, the run to compare with');
  const comparison = compareRuns(runOfFile(report), runOfFile(other));
  process.stdout.write(`${comparisonText(comparison)}\n`);
  if (comparison.turned.length > 0) process.exitCode = 1;
}

interface Values {
  readonly [option: string]: string | boolean | undefined;
  readonly columns?: string;
  readonly rows?: string;
  readonly rounds?: string;
  readonly seed?: string;
}

async function measured(values: Values): Promise<MatrixRun> {
  const say = (text: string): void =>
    void process.stderr.write(`${String(Math.round(performance.now() / 1000)).padStart(4)} s: ${text}\n`);
  const rounds = values.rounds === undefined ? null : wholeNumber('--rounds', values.rounds, 1);
  const plan: Plan = {
    size: SIZES[values['smoke'] ? 'smoke' : values['quick'] ? 'quick' : 'full'],
    columns: choose('--columns', values.columns, COLUMNS, ({ facts }) => facts.name),
    rows: values.rows === undefined ? USUAL_ROWS : choose('--rows', values.rows, MATRIX_ROWS, (row) => row),
    ...{ rounds, seed: values.seed === undefined ? Date.now() % 1_000_000 : wholeNumber('--seed', values.seed, 0) },
    command: `npm run matrix -- ${process.argv.slice(2).join(' ')}`.trim(),
    say,
  };
  say(`the plan takes ${estimateText(estimateOf(plan))}`);
  return measure(plan);
}

/** @throws ProfileFault for one that this lab has not written */
function runOfFile(file: string): MatrixRun {
  const run = readRun(file);
  if (run.format !== FORMAT)
    throw new ProfileFault(`${file} has format ${String(run.format)}, and this lab writes ${FORMAT}: measure again`);
  return run;
}

function readRun(file: string): MatrixRun {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as MatrixRun;
  } catch (error) {
    throw new ProfileFault(`${file} is no matrix.json: ${reasonOf(error)}`);
  }
}

function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least)
    throw new ProfileFault(`${option} must be a whole number, ${least} or more`);
  return value;
}

main().then(
  () => leave(Number(process.exitCode ?? 0)),
  (error: unknown) => {
    const isUsage = error instanceof ProfileFault || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    const text = isUsage ? `${(error as Error).message}\n${USAGE}` : String((error as Error).stack ?? error);
    process.stderr.write(`${text}\n`);
    leave(isUsage ? 2 : 1);
  },
);
