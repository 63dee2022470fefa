/**
 * `npm run up`: from a fresh clone to a running node. It runs before anything is installed, so it needs nothing but
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
import { ensurePrograms, ETCD } from './prerequisites.mjs';
import { stopWith } from './steps.mjs';

/** Ctrl-C under npm comes twice, from the terminal and from npm: milliseconds in which the second is not another one. */
const SAME_SIGNAL_MS = 500;
/** Milliseconds between two looks at whether whoever started us is still there. */
const PARENT_MS = 500;

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

try {
  process.chdir(root);
  checkNode();
  ensureDependencies(root);
  if (!etcdEndpoints()) ensurePrograms([ETCD]);
  ensureBuild(root);
  runNode();
} catch (error) {
  stopWith(error);
}

/** As config/environment.ts reads it: the environment wins over .env. */
function etcdEndpoints() {
  let file = '';
  try {
    file = readFileSync('.env', 'utf8');
  } catch {
    // None; one that cannot be read is the node's to complain about.
  }
  return { ...parseEnv(file), ...process.env }.UMBRA_ETCD_ENDPOINTS;
}

function runNode() {
  const node = spawn(process.execPath, ['--enable-source-maps', 'dist/main.js', '--welcome'], {
    // The channel carries no message: when it closes, the node knows that nobody is left to hand signals on.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // Out of the terminal's process group: each signal reaches the node once, through us.
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
  // The terminal was closed: the node drains, as for any other stop.
  process.on('SIGHUP', () => forward('SIGTERM'));
  // Some shells under which npm runs us hand no signal on: then npm is gone, and we are what is left.
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || forward('SIGTERM'), PARENT_MS).unref();
  node.on('error', stopWith);
  node.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
