import 'reflect-metadata';
import { AccessControl } from './access-control.js';
import { startNode, type UmbraNode } from './app.js';
import { NodeName } from './cluster/node-name.js';
import { SYSTEM_CLOCK } from './resilience/clock.js';
import type { Config } from './config/config.js';
import { readEnvironment } from './config/environment.js';
import { hostsOf, needsCredentials } from './config/needs-credentials.js';
import { configWarnings, loadConfig } from './config/load-config.js';
import { Shutdown, stopOnSignals, stopOnUncaught } from './shutdown.js';
import { sayFirstKey } from './first-key.js';
import { readyMessage, startErrorMessage } from './start-message.js';
import { openEtcdStorage } from './store/etcd/open-etcd.js';
import { LocalEtcd } from './store/local-etcd/local-etcd.js';
import type { Storage } from './store/storage.js';
import { createLogger, type Logger } from './telemetry/logger.js';
import { VERSION } from './telemetry/version.js';

/** Milliseconds after the drain for closing the storage and a local etcd, which needs up to 5 s. */
const CLOSE_MS = 8_000;
/** Poll interval for readiness, in milliseconds. */
const READY_POLL_MS = 20;
/** Milliseconds between two log lines that name the parts that are not ready. */
const WAITING_MS = 5_000;

/** The started parts, which end in reverse order. */
interface Running {
  localEtcd: LocalEtcd | null;
  storage: Storage | null;
  name: NodeName | null;
  access: AccessControl | null;
  node: UmbraNode | null;
}

async function main(): Promise<void> {
  if (process.argv.includes('--version')) return void process.stdout.write(`umbra ${VERSION}\n`);
  let config: Config | null = null;
  const running: Running = { localEtcd: null, storage: null, name: null, access: null, node: null };
  try {
    config = loadConfig(readEnvironment());
    const logger = createLogger(config);
    logger.info({ version: VERSION, nodejs: process.version, pid: process.pid }, 'starting');
    for (const warning of configWarnings(config)) logger.warn(warning);
    const limitMs = config.drainTimeoutMs + CLOSE_MS;
    const shutdown = new Shutdown({ logger, end: () => end(running), limitMs, exit: (code) => process.exit(code) });
    stopOnSignals(process, shutdown);
    stopOnUncaught(process, shutdown, logger);
    await start(running, config, logger);
  } catch (error) {
    await fail(error, config, running);
  }
}

async function fail(error: unknown, config: Config | null, running: Running): Promise<never> {
  process.stderr.write(startErrorMessage(error, config));
  await end(running).catch(() => undefined);
  process.exit(1);
}

async function start(running: Running, config: Config, logger: Logger): Promise<void> {
  let { endpoints } = config.etcd;
  if (endpoints.length === 0) {
    running.localEtcd = new LocalEtcd({ dataDir: config.dataDir, logger });
    endpoints = [await running.localEtcd.start()];
  }
  const parts = { config: { ...config, etcd: { ...config.etcd, endpoints } }, logger, clock: SYSTEM_CLOCK };
  running.storage = openEtcdStorage(parts);
  // A local etcd serves only this node, so its name needs no claim.
  const keys = running.localEtcd === null ? running.storage.clusterKeys : undefined;
  if (keys) {
    running.name = new NodeName(
      config.nodeId,
      keys.under('nodes/'),
      logger,
      (error) => void fail(error, config, running),
    );
    await running.name.claim();
  }
  const { auth, insecure } = config;
  if (needsCredentials(auth.mode, insecure, hostsOf(config))) {
    const { clusterKeys } = running.storage;
    if (!clusterKeys) throw new Error('this storage has no place for records of access');
    running.access = new AccessControl({ config, keys: clusterKeys, clock: SYSTEM_CLOCK, logger });
    sayFirstKey(await running.access.start(), config.dataDir);
  }
  running.node = await startNode({ ...parts, storage: running.storage, access: running.access ?? undefined });
  announce(running.node, config, running.access !== null, logger);
}

/** Logs the addresses at once, and `ready` later: an external etcd may be unavailable at the start. */
function announce(node: UmbraNode, config: Config, isSecure: boolean, logger: Logger): void {
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
      grpcUrl: addresses.grpc,
      grpcsUrl: addresses.grpcs,
      isSecure,
    };
    process.stdout.write(readyMessage({ ...urls, etcd, nodeId: config.nodeId, version: VERSION }));
  };
  const timer = setInterval(look, READY_POLL_MS).unref();
}

async function end({ node, name, access, storage, localEtcd }: Running): Promise<void> {
  await node?.drain();
  access?.close();
  await name?.release();
  await storage?.close();
  await localEtcd?.stop();
}

await main();
