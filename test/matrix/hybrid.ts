import { Redis } from 'ioredis';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { shadowId } from '../../src/sinks/event-id.js';
import { redisKind } from '../../src/sinks/redis-streams.sink.js';
import type { OpenSink } from '../../src/sinks/sink-kind.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import type { ShadowKey } from '../../src/store/shadow-store.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { until } from '../harness/until.js';
import type { Section, Told } from '../faults/model/history.js';
import { Adapter } from './adapter.js';
import { LOADING_MS, TENANT, withAge, type OpenColumn } from './open-column.js';

/** Of the changes in the Redis beside etcd. */
export const STREAM = 'matrix';
/** Of the keys of the documents there. */
const PREFIX = 'matrix:';
/** Milliseconds after which a read has failed. */
const ANSWER_MS = 1_000;
/** Milliseconds between two attempts to connect. */
const AGAIN_MS = 100;

/**
 * @param etcd the truth
 * @param port of the Redis that is filled from it, and read
 * @param fills whether this node does that: one of all does
 */
export async function openHybrid(etcd: Omit<OpenColumn, 'read'>, port: number, fills: boolean): Promise<OpenColumn> {
  const sink = fills ? openSink(port) : null;
  const adapter = sink && new Adapter(etcd.feed, sink, TENANT);
  adapter?.start();
  const redis = new Redis({
    ...{ port, host: '127.0.0.1', enableAutoPipelining: true, maxRetriesPerRequest: 1 },
    ...{ commandTimeout: ANSWER_MS, retryStrategy: () => AGAIN_MS },
  });
  redis.on('error', () => undefined);
  if (adapter) await until('the sink is filled', () => adapter.isLoaded, LOADING_MS).catch(() => undefined);
  return {
    ...{ store: etcd.store, feed: etcd.feed, ...(adapter && { adapter }) },
    read: async (key) => withAge(documentOf(await redis.hget(keyOf(key), 'document'))),
    async close() {
      redis.disconnect();
      await adapter?.stop();
      await sink?.close();
      await etcd.close();
    },
  };
}

const keyOf = (key: ShadowKey): string => PREFIX + shadowId({ key });

function openSink(port: number): OpenSink {
  const settings = {
    ...{ server: `redis://127.0.0.1:${port}`, database: 0, user: null, stream: STREAM, maxLength: 1_000_000 },
    ...{ cachePrefix: PREFIX, cacheSeconds: 0, tombstoneSeconds: 86_400 },
  };
  const parts = { tenant: TENANT, sink: 'matrix', id: 'matrix', clock: SYSTEM_CLOCK, logger: SILENT_LOGGER };
  return redisKind([`127.0.0.1:${port}`]).open(
    { settings, secrets: {} },
    { ...parts, keys: new MemoryClusterKeys(), isOwner: () => true, pause: () => undefined },
  );
}

function documentOf(text: string | null): Told | null {
  if (text === null) return null;
  const { state, version } = JSON.parse(text) as { state: { desired?: Section; reported?: Section }; version: number };
  return { version, desired: state.desired ?? {}, reported: state.reported ?? {} };
}
