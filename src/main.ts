import 'reflect-metadata';
import { startNode, type UmbraNode } from './app.js';
import { SYSTEM_CLOCK } from './resilience/clock.js';
import type { Config } from './config/config.js';
import { readEnvironment } from './config/environment.js';
import { configWarnings, loadConfig } from './config/load-config.js';
import { readyMessage, startErrorMessage } from './start-message.js';
import { openEtcdStorage } from './store/etcd/open-etcd.js';
import { LocalEtcd } from './store/local-etcd/local-etcd.js';
import type { Storage } from './store/storage.js';
import { createLogger, type Logger } from './telemetry/logger.js';

/** Milliseconds beyond the drain for closing the storage and a local etcd, which gets 5 s itself. */
const CLOSE_MS = 8_000;
/** Milliseconds between two looks at whether the node has got ready. */
const READY_POLL_MS = 20;
/** Milliseconds after which a node that is not ready says what it waits for, and again after as many. */
const WAITING_MS = 5_000;

/** What has been started, to be ended in reverse order. */
interface Running {
  localEtcd: LocalEtcd | null;
  storage: Storage | null;
  node: UmbraNode | null;
}

async function main(): Promise<void> {
  let config: Config | null = null;
  const running: Running = { localEtcd: null, storage: null, node: null };
  try {
    config = loadConfig(readEnvironment());
    const logger = createLogger(config);
    for (const warning of configWarnings(config)) logger.warn(warning);
    stopOnSignals(running, config, logger);
    await start(running, config, logger);
  } catch (error) {
    process.stderr.write(startErrorMessage(error, config));
    await end(running).catch(() => undefined);
    process.exit(1);
  }
}

async function start(running: Running, config: Config, logger: Logger): Promise<void> {
  let { endpoints } = config.etcd;
  if (endpoints.length === 0) {
    running.localEtcd = new LocalEtcd({ dataDir: config.dataDir, logger });
    endpoints = [await running.localEtcd.start()];
  }
  const parts = { config: { ...config, etcd: { ...config.etcd, endpoints } }, logger, clock: SYSTEM_CLOCK };
  running.storage = openEtcdStorage(parts);
  running.node = await startNode({ ...parts, storage: running.storage });
  announce(running.node, config, logger);
}

/** Says where the node listens at once, and that it is ready once it is: an etcd of others may be away at the start. */
function announce(node: UmbraNode, config: Config, logger: Logger): void {
  const { addresses, health } = node;
  logger.info({ ...addresses, nodeId: config.nodeId }, 'listening');
  let warnAt = performance.now() + WAITING_MS;
  const look = (): void => {
    const { ready, parts } = health.report();
    if (!ready && performance.now() > warnAt) {
      warnAt = performance.now() + WAITING_MS;
      const missing = Object.entries(parts).filter(([, { ok }]) => !ok);
      logger.warn(Object.fromEntries(missing.map(([name, { reason }]) => [name, reason])), 'not ready yet');
    }
    if (!ready) return;
    clearInterval(timer);
    logger.info({ ...addresses, nodeId: config.nodeId }, 'ready');
    if (!process.stdout.isTTY && !process.argv.includes('--welcome')) return;
    const etcd = config.etcd.endpoints.length === 0 ? 'local' : 'endpoints';
    const urls = {
      httpUrl: addresses.http,
      httpsUrl: addresses.https,
      mqttUrl: addresses.mqtt,
      mqttsUrl: addresses.mqtts,
    };
    process.stdout.write(readyMessage({ ...urls, etcd, nodeId: config.nodeId }));
  };
  const timer = setInterval(look, READY_POLL_MS).unref();
}

function stopOnSignals(running: Running, config: Config, logger: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    // A second Ctrl-C means now; a local etcd notices by itself that the node is gone.
    if (stopping && signal === 'SIGINT') process.exit(130);
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'stopping');
    setTimeout(() => {
      logger.error('the shutdown took too long; leaving what is left');
      process.exit(1);
    }, config.drainTimeoutMs + CLOSE_MS).unref();
    end(running).then(
      () => {
        logger.info('stopped');
        process.exit(0);
      },
      (error: unknown) => {
        logger.error({ err: error }, 'the shutdown failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // The launcher is gone without a word (kill -9): nobody is left who could stop the node.
  process.once('disconnect', () => stop('SIGTERM'));
}

async function end({ node, storage, localEtcd }: Running): Promise<void> {
  await node?.drain();
  await storage?.close();
  await localEtcd?.stop();
}

await main();
