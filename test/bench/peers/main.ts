import 'reflect-metadata';
import { AccessControl } from '../../../src/access-control.js';
import { startNode } from '../../../src/app.js';
import { SYSTEM_CLOCK } from '../../../src/resilience/clock.js';
import { sayFirstKey } from '../../../src/first-key.js';
import { needsCredentials } from '../../../src/config/needs-credentials.js';
import { readEnvironment } from '../../../src/config/environment.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { openEtcdStorage, type EtcdStorageOptions } from '../../../src/store/etcd/open-etcd.js';
import type { Storage } from '../../../src/store/storage.js';
import { createLogger } from '../../../src/telemetry/logger.js';
import { openEchoStorage } from './echo-store.js';
import { tellLoopDelayOnSignal } from './loop-delay.js';
import { openNaiveStorage } from './naive-store.js';
import { profileOnSignal } from './profile.js';
import { openRedisStorage } from './redis-store.js';
import { RulesPerRequest } from './rules-per-request.js';

/**
 * One node of a bench as its own process: Umbra, or the same doors over another storage. BENCH_PEER says which,
 * BENCH_REDIS_PORT where Redis is, BENCH_PROFILE where a CPU profile goes (SIGUSR2 begins and ends it),
 * BENCH_LOOP_DELAY that SIGUSR2 asks for the delay of its event loop, BENCH_RULES=etcd that the rules of access are read
 * from etcd for each request.
 */
const STORAGES: Record<string, (options: EtcdStorageOptions) => Storage> = {
  umbra: openEtcdStorage,
  naive: openNaiveStorage,
  echo: openEchoStorage,
  redis: (options) => openRedisStorage(options, Number(process.env['BENCH_REDIS_PORT'])),
};

const open = STORAGES[process.env['BENCH_PEER'] ?? 'umbra'];
if (!open) throw new Error(`no such peer: ${process.env['BENCH_PEER']}`);
const config = loadConfig(readEnvironment());
const logger = createLogger(config);
const parts = { config, logger, clock: SYSTEM_CLOCK };
const storage = open(parts);
const access = await accessOf(storage);
const node = await startNode({ ...parts, storage, access });
if (process.env['BENCH_PROFILE']) profileOnSignal(process.env['BENCH_PROFILE']);
if (process.env['BENCH_LOOP_DELAY']) tellLoopDelayOnSignal(logger);
process.on('SIGHUP', () => {
  globalThis.gc?.();
  logger.info({ heapUsed: process.memoryUsage().heapUsed }, 'collected');
});
const timer = setInterval(() => {
  if (!node.health.report().ready) return;
  clearInterval(timer);
  logger.info({ ...node.addresses, nodeId: config.nodeId }, 'ready');
}, 5);
process.on('SIGTERM', () => {
  const forced = setTimeout(() => process.exit(1), 10_000);
  void node
    .drain()
    .then(() => storage.close())
    .finally(() => {
      clearTimeout(forced);
      process.exit(0);
    });
});

/** As src/main.ts does it. */
async function accessOf({ clusterKeys }: Storage): Promise<AccessControl | undefined> {
  const { auth, insecure, http, mqtt, dataDir } = config;
  if (!clusterKeys || !needsCredentials(auth.mode, insecure, [http.host, mqtt.host])) return undefined;
  const made = new AccessControl({ config, keys: clusterKeys, clock: SYSTEM_CLOCK, logger });
  sayFirstKey(await made.start(), dataDir);
  if (process.env['BENCH_RULES'] !== 'etcd') return made;
  const rules = new RulesPerRequest(clusterKeys, made.secretKeys, SYSTEM_CLOCK);
  return Object.assign(made, { authenticator: rules, authorizer: rules }) as unknown as AccessControl;
}
