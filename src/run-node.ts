import 'reflect-metadata';
import { AccessControl } from './access-control.js';
import { startNode, type UmbraNode } from './app.js';
import { NodeName } from './cluster/node-name.js';
import type { Config } from './config/config.js';
import { hostsOf, needsCredentials } from './config/needs-credentials.js';
import { sayFirstKey } from './first-key.js';
import { SYSTEM_CLOCK } from './resilience/clock.js';
import { readyMessage } from './start-message.js';
import { openEtcdStorage } from './store/etcd/open-etcd.js';
import type { LocalEtcd } from './store/local-etcd/local-etcd.js';
import type { Storage } from './store/storage.js';
import type { Logger } from './telemetry/logger.js';
import type { Metrics } from './telemetry/metrics.js';
import { VERSION } from './telemetry/version.js';

/** Poll interval for readiness, in milliseconds. */
const READY_POLL_MS = 20;
/** Milliseconds between two log lines that name the parts that are not ready. */
const WAITING_MS = 5_000;

/** The started parts, which end in reverse order. */
export interface Running {
  localEtcd: LocalEtcd | null;
  storage: Storage | null;
  name: NodeName | null;
  access: AccessControl | null;
  node: UmbraNode | null;
}

export interface RunParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Starts everything that needs an etcd, and adds each part to `running` as soon as there is something to end.
 * @param endpoints where etcd answers: those of the configuration, or that of the local etcd
 * @param lost is called when another node takes the name of this one
 */
export async function runNode(
  running: Running,
  { config, logger, metrics }: RunParts,
  endpoints: readonly string[],
  lost: (error: unknown) => void,
): Promise<void> {
  const parts = { config: { ...config, etcd: { ...config.etcd, endpoints } }, logger, clock: SYSTEM_CLOCK, metrics };
  running.storage = openEtcdStorage(parts);
  // A local etcd serves only this node, so its name needs no claim.
  const keys = running.localEtcd === null ? running.storage.clusterKeys : undefined;
  if (keys) {
    running.name = new NodeName(config.nodeId, keys.under('nodes/'), logger, lost);
    await running.name.claim();
  }
  const { auth, insecure } = config;
  if (needsCredentials(auth.mode, insecure, hostsOf(config))) {
    const { clusterKeys } = running.storage;
    if (!clusterKeys) throw new Error('this storage has no place for records of access');
    running.access = new AccessControl({ config, keys: clusterKeys, clock: SYSTEM_CLOCK, logger, metrics });
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
