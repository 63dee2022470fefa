import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BENCHES } from './benches/index.js';
import { Lab, SCALES, type Scale } from './lab.js';
import { show } from './report.js';
import type { NamedResult } from './result.js';

/** Runs the benches that are named, or all of them; see run.ts. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    json: { type: 'string' },
    against: { type: 'string' },
  },
});
const unknown = positionals.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  process.stderr.write(`no such bench: ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(2);
}
const scale: Scale = SCALES[values.smoke ? 'smoke' : values.quick ? 'quick' : 'full'];
const results: NamedResult[] = [];
let failed = 0;
for (const [bench, { title, run }] of Object.entries(BENCHES)) {
  if (positionals.length > 0 ? !positionals.includes(bench) : bench.endsWith('against')) continue;
  const lab = new Lab(scale);
  process.stderr.write(`${bench} `);
  try {
    const result = { bench, title, ...(await run(lab)) };
    results.push(result);
    process.stderr.write('\n');
    process.stdout.write(show(result));
  } catch (error) {
    failed++;
    process.stderr.write(
      `\n${bench} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  } finally {
    await lab.end();
  }
  if (values.json) save(values.json);
}
process.exit(failed > 0 ? 1 : 0);

/** After each bench, so that a run that is cut short leaves what it has. */
function save(file: string): void {
  writeFileSync(file, `${JSON.stringify({ scale: scale.kind, at: new Date().toISOString(), results }, null, 1)}\n`);
}
