/**
 * `npm run up -- --observe`: a Prometheus beside the node, with the rules of k8s/observability. It is Debian's package, and
 * needs no installation of npm either.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { Stop } from './steps.mjs';

export const PROMETHEUS = { program: 'prometheus', debian: 'prometheus', fedora: 'prometheus', macos: 'prometheus' };

/** The port of metrics of a node that has none, and the one of Prometheus, whose own default may be a service's. */
const METRICS_PORT = '9464';
const PROMETHEUS_PORT = '9465';
/** Milliseconds until Prometheus answers, and between two looks. */
const START_MS = 30_000;
const LOOK_MS = 200;

/** The port that `--observe` or `--observe=PORT` asks for; null without it. Throws Stop for anything else. */
export function observePort(args) {
  let port = null;
  for (const arg of args) {
    const match = /^--observe(?:=(\d{1,5}))?$/.exec(arg);
    if (!match) throw new Stop(`${arg} is unknown; there is --observe, or --observe=PORT`);
    port = match[1] ?? PROMETHEUS_PORT;
    if (Number(port) < 1 || Number(port) > 65_535) throw new Stop(`${arg}: a port is a number from 1 to 65535`);
  }
  return port;
}

/** The port of metrics that the node shall have. */
export function metricsPort(settings) {
  const given = settings.UMBRA_METRICS_PORT;
  if (given === '0') throw new Stop('UMBRA_METRICS_PORT=0 is any port; give one that --observe can name to Prometheus');
  return given === undefined || given === '' || given === 'off' ? METRICS_PORT : given;
}

/** The configuration of Prometheus, as JSON, which is YAML. */
export function configurationOf(settings, root) {
  const host = settings.UMBRA_METRICS_HOST || '127.0.0.1';
  const token = settings.UMBRA_METRICS_TOKEN;
  const address = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host;
  const members = (settings.UMBRA_ETCD_ENDPOINTS ?? '').split(',').map((each) => each.trim());
  const etcd = members.filter((each) => each.startsWith('http://')).map((each) => new URL(each).host);
  const job = (job_name, targets, more = {}) => ({ job_name, static_configs: [{ targets }], ...more });
  const node = `${address.includes(':') ? `[${address}]` : address}:${metricsPort(settings)}`;
  return {
    global: { scrape_interval: '5s', evaluation_interval: '5s' },
    rule_files: [join(root, 'k8s', 'observability', 'rules', '*.rules.yaml')],
    scrape_configs: [
      job('umbra', [node], token ? { authorization: { credentials_file: resolve(token) } } : {}),
      ...(etcd.length > 0 ? [job('etcd', etcd)] : []),
    ],
  };
}

/** Starts it, and prints where it is as soon as it answers. Resolves with what ends it. */
export async function startPrometheus(port, settings, root) {
  // Another program there would be taken for it.
  if (await isTaken(port)) throw new Stop(`Port ${port} is in use; --observe=PORT takes another one for Prometheus`);
  const folder = resolve(settings.UMBRA_DATA_DIR || 'data', 'prometheus');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'prometheus.yml');
  const log = join(folder, 'prometheus.log');
  writeFileSync(file, JSON.stringify(configurationOf(settings, root), null, 2));
  const output = openSync(log, 'w');
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    '--storage.tsdb.retention.time=15d',
  ];
  // The shell ends it when its input ends, which is when the launcher does, however that comes.
  const script = '"$@" </dev/null & child=$!; read -r _; kill "$child"; wait "$child"';
  const command = ['-c', script, 'sh', 'prometheus', ...args, `--web.listen-address=127.0.0.1:${port}`];
  const shell = spawn('sh', command, { stdio: ['pipe', output, output], detached: true });
  shell.on('error', (error) => process.stderr.write(`umbra: Prometheus was not started: ${error.message}\n`));
  const url = `http://127.0.0.1:${port}`;
  void announce(url, log, metricsPort(settings));
  return () => shell.stdin.end();
}

const isTaken = (port) =>
  new Promise((done) => {
    const server = createServer().once('error', () => done(true));
    server.listen(Number(port), '127.0.0.1', () => server.close(() => done(false)));
  });

async function announce(url, log, metrics) {
  const end = performance.now() + START_MS;
  while (performance.now() < end) {
    const answers = await fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (answers) {
      process.stderr.write(
        `umbra: Prometheus ${url}/alerts, and what the node does http://127.0.0.1:${metrics}/status\n`,
      );
      return;
    }
    await new Promise((done) => setTimeout(done, LOOK_MS).unref());
  }
  process.stderr.write(`umbra: Prometheus does not answer at ${url}; its log is ${log}\n`);
}
