/**
 * `npm test`: every test there is, on a machine with nothing but Node and git. The last line is the summary, and also
 * kept in a file for .ci/run. Arguments are handed on to Jest.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkNode, ensureDependencies } from '../src/launcher/dependencies.mjs';
import { ensurePrograms, ETCD } from '../src/launcher/prerequisites.mjs';
import { stopWith } from '../src/launcher/steps.mjs';
import { CURL, ETCDCTL, MOSQUITTO, MOSQUITTO_CLIENTS, NATS, OPENSSL, PAHO, REDIS, widePath } from './programs.mjs';

/** A test run that hangs ends with a failure. A machine that does much else beside it takes several times as long. */
const LIMIT_MS = 50 * 60_000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cache = join(root, 'node_modules', '.cache');
const results = join(cache, 'umbra-test-results.json');
const summaryFile = join(cache, 'umbra-test-summary');

try {
  process.chdir(root);
  rmSync(summaryFile, { force: true });
  checkNode();
  ensureDependencies(root);
  process.env.PATH = widePath();
  ensurePrograms([ETCD, ETCDCTL, MOSQUITTO, MOSQUITTO_CLIENTS, NATS, OPENSSL, REDIS, CURL, PAHO]);
  mkdirSync(cache, { recursive: true });
  rmSync(results, { force: true });
  runJest(process.argv.slice(2));
} catch (error) {
  stopWith(error);
}

function runJest(args) {
  const jest = [join('node_modules', 'jest', 'bin', 'jest.js'), '--json', `--outputFile=${results}`, ...args];
  // A file of tests loads a thousand modules, which the small first generation of the heap would copy again and again.
  const flags = ['--max-semi-space-size=64', '--experimental-vm-modules', '--no-warnings=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, ...jest], { stdio: 'inherit' });
  const timer = setTimeout(() => {
    process.stderr.write(`The tests did not end within ${LIMIT_MS / 60_000} minutes.\n`);
    child.kill('SIGKILL');
  }, LIMIT_MS);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('error', stopWith);
  child.on('exit', (code) => {
    clearTimeout(timer);
    const summary = summarize();
    writeFileSync(summaryFile, `${summary.text}\n`);
    process.stdout.write(`${summary.text}\n`);
    process.exit(code === 0 && summary.failed > 0 ? 1 : (code ?? 1));
  });
}

/** A file of tests that could not even be loaded counts as one failed test. */
function summarize() {
  let result;
  try {
    result = JSON.parse(readFileSync(results, 'utf8'));
  } catch {
    return { failed: 1, text: '0 passed, 1 failed, 0 skipped' };
  }
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
  const skipped = result.numPendingTests + result.numTodoTests;
  return { failed, text: `${result.numPassedTests} passed, ${failed} failed, ${skipped} skipped` };
}
