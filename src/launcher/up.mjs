/**
 * `npm run up`: from a fresh clone to a running node. It runs before the installation of packages, so it needs only
 * Node itself.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { ensureBuild } from './build.mjs';
import { checkNode, ensureDependencies } from './dependencies.mjs';
import { metricsPort, observePort, PROMETHEUS, startPrometheus } from './observe.mjs';
import { ensurePrograms, ETCD } from './prerequisites.mjs';
import { stopWith } from './steps.mjs';

/** Milliseconds in which a repeated signal is the same: under npm, Ctrl-C arrives from the terminal and from npm. */
const SAME_SIGNAL_MS = 500;
/** Milliseconds between two checks that the parent process still lives. */
const PARENT_MS = 500;

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

try {
  process.chdir(root);
  checkNode();
  const port = observePort(process.argv.slice(2));
  const given = settings();
  const env = port === null ? process.env : { ...process.env, UMBRA_METRICS_PORT: metricsPort(given) };
  ensureDependencies(root);
  ensurePrograms([...(given.UMBRA_ETCD_ENDPOINTS ? [] : [ETCD]), ...(port === null ? [] : [PROMETHEUS])]);
  ensureBuild(root);
  const end = port === null ? () => undefined : await startPrometheus(port, given, root);
  runNode(env, end);
} catch (error) {
  stopWith(error);
}

/** The variables as config/environment.ts reads them: the environment overrides .env. */
function settings() {
  let file = '';
  try {
    file = readFileSync('.env', 'utf8');
  } catch {
    // The file is missing, or the node will report that it cannot be read.
  }
  return { ...parseEnv(file), ...process.env };
}

/** @param end is called when the node has ended */
function runNode(env, end) {
  const node = spawn(process.execPath, ['--enable-source-maps', 'dist/main.js', '--welcome'], {
    env,
    // The channel carries no message. Its end tells the node that the launcher no longer forwards signals.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // Outside the terminal's process group, the node gets each signal once, from the launcher.
    detached: true,
  });
  const sent = new Map();
  const forward = (signal) => {
    const now = performance.now();
    if (now - (sent.get(signal) ?? -Infinity) < SAME_SIGNAL_MS) return;
    sent.set(signal, now);
    node.kill(signal);
  };
  process.on('SIGINT', () => forward('SIGINT'));
  process.on('SIGTERM', () => forward('SIGTERM'));
  // A closed terminal makes the node drain, like any other stop.
  process.on('SIGHUP', () => forward('SIGTERM'));
  // Some shells between npm and the launcher forward no signal, so the launcher also watches its parent.
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || forward('SIGTERM'), PARENT_MS).unref();
  node.on('error', stopWith);
  node.on('exit', (code, signal) => {
    end();
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}
