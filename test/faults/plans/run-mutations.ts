import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtMain } from '../../harness/build.js';
import { builtLibrary } from '../../harness/library-build.js';
import { say, type JsonLines } from '../report.js';
import { runScenario, type Result } from '../run-scenario.js';
import { applyEdit, type Edit } from './edits.js';
import type { Mutation } from './mutation.js';
import { MUTATIONS } from './mutations.js';
import { MATRIX } from './scenarios.js';
import { runSpecial, SPECIAL } from './special.js';

/** Runs in which chance may hide a bug. */
const ATTEMPTS = 3;

/** Runs each mutation, or one, and says which were caught. */
export async function runMutations(only: string | null, seed: number, json: JsonLines): Promise<boolean> {
  const chosen = MUTATIONS.filter(({ name }) => only === null || only.split(',').some((part) => name.includes(part)));
  // All at once: a text that has changed must not come up after minutes.
  for (const each of chosen) await checkTexts(each);
  let missed = 0;
  for (const each of chosen) {
    const { caughtBy, attempts } = await attempt(each, seed);
    if (caughtBy === null) missed++;
    json.write({ mutation: each.name, scenario: each.scenario, caughtBy, attempts });
    say(
      `${caughtBy === null ? 'MISSED' : 'caught'} ${each.name} (${each.scenario}, run ${attempts}): ${caughtBy ?? each.breaks.join(' or ')}`,
    );
  }
  say(`${chosen.length - missed} of ${chosen.length} mutations caught`);
  json.write({ caught: chosen.length - missed, of: chosen.length });
  return missed === 0;
}

async function attempt(each: Mutation, seed: number): Promise<{ caughtBy: string | null; attempts: number }> {
  const main = await mutate(each);
  try {
    for (let attempts = 1; attempts <= ATTEMPTS; attempts++) {
      const { violations, skipped } = await run(each.scenario, seed + attempts, main);
      if (skipped !== null) return { caughtBy: null, attempts: 0 };
      const found = violations.find(({ promise }) => each.breaks.some((broken) => broken === promise));
      if (found) return { caughtBy: `${found.promise}: ${found.text.slice(0, 200)}`, attempts };
    }
    return { caughtBy: null, attempts: ATTEMPTS };
  } finally {
    await rm(join(main, '..', '..'), { recursive: true, force: true });
  }
}

async function run(name: string, seed: number, main: string): Promise<Result> {
  if (SPECIAL.includes(name)) return runSpecial(name, seed, main);
  const scenario = MATRIX.find((one) => one.name === name);
  if (!scenario) throw new Error(`no scenario ${name}`);
  return runScenario(scenario, { seed, main });
}

/** A copy of the build with the bug in it. The service itself has no switch for any of this. */
async function mutate({ name, edits }: Mutation): Promise<string> {
  const built = join(await builtMain(), '..');
  // Below node_modules, so that packages are found from there.
  const folder = join(process.cwd(), 'node_modules', '.cache', 'umbra-mutations', name.replaceAll(/\W+/g, '-'));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await cp(built, join(folder, 'dist'), { recursive: true });
  if (edits.some(isOfLibrary)) await cp(await builtLibrary(), join(folder, 'dist', LIBRARY), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }\n');
  for (const edit of edits) {
    const path = join(folder, 'dist', edit.file);
    await writeFile(path, applyEdit(await readFile(path, 'utf8'), edit));
  }
  return join(folder, 'dist', 'main.js');
}

/** Where the build of the client library stands below that of the service, for the plan that runs both. */
const LIBRARY = 'sdk';
const isOfLibrary = ({ file }: Edit): boolean => file.startsWith(`${LIBRARY}/`);

async function builtFile(edit: Edit): Promise<string> {
  if (isOfLibrary(edit)) return join(await builtLibrary(), edit.file.slice(LIBRARY.length));
  return join(await builtMain(), '..', edit.file);
}

/** @throws Error when a text to be replaced is not in the build exactly once */
async function checkTexts({ name, edits }: Mutation): Promise<void> {
  const files = new Map<string, string>();
  for (const edit of edits) {
    const code = files.get(edit.file) ?? (await readFile(await builtFile(edit), 'utf8'));
    try {
      files.set(edit.file, applyEdit(code, edit));
    } catch (error) {
      throw new Error(`mutation "${name}": ${(error as Error).message}`, { cause: error });
    }
  }
}
