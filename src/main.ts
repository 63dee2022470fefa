import type { Config } from './config/config.js';
import { readEnvironment } from './config/environment.js';
import { configWarnings, loadConfig } from './config/load-config.js';
import { Shutdown, stopOnSignals, stopOnUncaught } from './shutdown.js';
import type { Running } from './run-node.js';
import { startErrorMessage } from './start-message.js';
import { LocalEtcd } from './store/local-etcd/local-etcd.js';
import { createLogger, type Logger } from './telemetry/logger.js';
import { Metrics } from './telemetry/metrics.js';
import { profileOnSignals, Profiles } from './telemetry/profiles.js';
import { VERSION } from './telemetry/version.js';

/** Milliseconds after the drain for closing the storage and a local etcd, which needs up to 5 s. */
const CLOSE_MS = 8_000;

async function main(): Promise<void> {
  if (process.argv.includes('--version')) return void process.stdout.write(`umbra ${VERSION}\n`);
  if (process.argv.includes('--record-formats')) return tellFormats();
  let config: Config | null = null;
  const running: Running = { localEtcd: null, storage: null, name: null, access: null, node: null };
  try {
    config = loadConfig(readEnvironment());
    const metrics = new Metrics();
    const logger = createLogger(config, null, metrics.node);
    logger.info({ version: VERSION, nodejs: process.version, pid: process.pid }, 'starting');
    for (const warning of configWarnings(config)) logger.warn(warning);
    const limitMs = config.drainTimeoutMs + CLOSE_MS;
    const shutdown = new Shutdown({ logger, end: () => end(running), limitMs, exit: (code) => process.exit(code) });
    stopOnSignals(process, shutdown);
    stopOnUncaught(process, shutdown, logger);
    profileOnSignals(process, new Profiles({ dataDir: config.dataDir, logger }));
    await start(running, config, logger, metrics);
  } catch (error) {
    await fail(error, config, running);
  }
}

/** For the form of a release: what this version can read, and what it writes unless it is told otherwise. */
async function tellFormats(): Promise<void> {
  const { LATEST_FORMAT, RECORD_FORMATS } = await import('./store/etcd/codec.js');
  const said = { version: VERSION, reads: RECORD_FORMATS, writes: LATEST_FORMAT };
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

async function fail(error: unknown, config: Config | null, running: Running): Promise<never> {
  process.stderr.write(startErrorMessage(error, config));
  await end(running).catch(() => undefined);
  process.exit(1);
}

/**
 * The program is loaded when the configuration is known to be good, and while a local etcd starts: what has no use for
 * it, as `--version`, need not wait for a thousand modules.
 */
async function start(running: Running, config: Config, logger: Logger, metrics: Metrics): Promise<void> {
  let { endpoints } = config.etcd;
  let local: Promise<string> | null = null;
  if (endpoints.length === 0) {
    running.localEtcd = new LocalEtcd({ dataDir: config.dataDir, logger });
    local = running.localEtcd.start();
  }
  const [{ runNode }, endpoint] = await Promise.all([import('./run-node.js'), local]);
  if (endpoint !== null) endpoints = [endpoint];
  const parts = { config, logger, metrics };
  await runNode(running, parts, endpoints, (error) => void fail(error, config, running));
}

async function end({ node, name, access, storage, localEtcd }: Running): Promise<void> {
  await node?.drain();
  access?.close();
  await name?.release();
  await storage?.close();
  await localEtcd?.stop();
}

await main();
