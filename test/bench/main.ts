import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BENCHES, type Bench } from './benches/index.js';
import { soak } from './benches/soak.js';
import { Lab, SCALES, type Scale } from './lab.js';
import { intoPage } from './page.js';
import { show } from './report.js';
import type { NamedResult } from './result.js';

/** Runs the benches that are named, those of the table, or all of them; see run.ts. */
const TABLE = 'table';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    json: { type: 'string' },
    page: { type: 'string' },
    against: { type: 'string' },
    soak: { type: 'boolean', default: false },
    minutes: { type: 'string' },
  },
});
const unknown = positionals.filter((name) => name !== TABLE && !(name in BENCHES));
if (unknown.length > 0) {
  process.stderr.write(
    `no such bench: ${unknown.join(', ')}; there are ${[TABLE, ...Object.keys(BENCHES)].join(', ')}\n`,
  );
  process.exit(2);
}
if (values.soak ? positionals.length > 0 : values.minutes !== undefined) {
  process.stderr.write('--soak goes without names of benches, and --minutes with --soak alone\n');
  process.exit(2);
}
const minutes = Number(values.minutes ?? 30);
if (!(minutes > 0)) {
  process.stderr.write(`--minutes takes a number above 0, not ${values.minutes}\n`);
  process.exit(2);
}
const SOAK: Bench = {
  title: `1,000 requests/s through all doors for ${minutes} minutes`,
  run: (lab) => soak(lab, minutes),
};
const wholeTable = positionals.includes(TABLE);
const scale: Scale = SCALES[values.smoke ? 'smoke' : values.quick ? 'quick' : wholeTable ? 'table' : 'full'];
/** Longer than any bench takes on a machine that is worth measuring on. */
const BENCH_MS = (values.soak ? 20 + minutes : 10) * 60_000;
const results: NamedResult[] = [];
let failed = 0;
let ended = false;
let lab: Lab | null = null;
let fail: (error: Error) => void = () => {};
// Every server that is started has one, so that none outlives this process.
process.setMaxListeners(100);
// What nobody waits for is a failure of the bench that runs, not of those behind it.
process.on('uncaughtException', (error) => fail(error));
// A million shadows are large: whatever is started keeps its data in one folder, which goes however this ends.
const folder = mkdtempSync(join(tmpdir(), 'umbra-bench-'));
process.env['TMPDIR'] = folder;
process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    ended = true;
    void lab?.end().finally(() => process.exit(1));
  });

for (const [bench, { title, run, table = false }] of Object.entries(values.soak ? { soak: SOAK } : BENCHES)) {
  const named = positionals.includes(bench) || (wholeTable && table);
  if (!values.soak && (positionals.length > 0 ? !named : bench.endsWith('against'))) continue;
  if (ended) break;
  const start = performance.now();
  lab = new Lab(scale);
  process.stderr.write(`${bench} `);
  try {
    const result = { bench, title, ...(await Promise.race([run(lab), failure()])) };
    results.push(result);
    process.stderr.write(` ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
    process.stdout.write(show(result));
  } catch (error) {
    failed++;
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`\n${[`${bench} failed: ${reason}`, ...lab.troubles()].join('\n')}\n`);
  } finally {
    await lab.end();
  }
  if (values.json) save(values.json);
}
if (values.page) intoPage(values.page, about(), results);
process.exit(failed > 0 ? 1 : 0);

/** Never anything but an error: one that nobody caught, or that the time is over. */
function failure(): Promise<never> {
  return new Promise((_, reject) => {
    fail = reject;
    setTimeout(() => reject(new Error(`not done within ${BENCH_MS / 60_000} minutes`)), BENCH_MS).unref();
  });
}

function about(): string {
  const minutes = Math.ceil(performance.now() / 60_000);
  const { pairs, seconds } = scale;
  const date = new Date().toISOString().slice(0, 10);
  return `One run of ${minutes} minutes on ${date}, ${pairs} rounds of ${seconds} s for each side, ${cpus().length} cores.`;
}

/** After each bench, so that a run that is cut short leaves what it has. */
function save(file: string): void {
  writeFileSync(file, `${JSON.stringify({ scale: scale.kind, at: new Date().toISOString(), results }, null, 1)}\n`);
}
