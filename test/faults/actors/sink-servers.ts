import { startNats } from '../../harness/nats.js';
import { startRedis } from '../../harness/redis.js';
import { TcpProxy } from '../../harness/tcp-proxy.js';
import type { FaultyServer } from '../faults/sink-faults.js';
import type { SinkHistory } from '../model/sink-history.js';
import type { Random } from '../plans/random.js';
import { NatsReader, RedisReader, WebhookReader, type SinkReader } from './sink-readers.js';

const STREAM = 'LAB';
const CACHE = 'doc:';

/** The servers of all sinks: Umbra reaches them through proxies, the lab reads them directly. */
export interface SinkServers {
  readonly faulty: readonly FaultyServer[];
  readonly readers: readonly SinkReader[];
  readonly redisPort: number;
  readonly cachePrefix: string;
  /** The sinks, as they are to be made. */
  readonly bodies: Readonly<Record<string, object>>;
  /** @param shown what the answer to the making of the webhook has shown */
  expect(shown: { readonly secret?: string }): void;
  stop(): Promise<void>;
}

const signalTo = (server: { readonly pid: number }) => (signal: NodeJS.Signals) => {
  if (server.pid > 0) process.kill(server.pid, signal);
};

/** @throws Error when a server does not start */
export async function startServers(history: SinkHistory, random: Random): Promise<SinkServers> {
  const [nats, redis] = await Promise.all([startNats(), startRedis()]);
  const [toNats, toRedis] = [await TcpProxy.start(Number(new URL(nats.url).port)), await TcpProxy.start(redis.port)];
  const hook = await WebhookReader.start(history, random);
  const faulty: FaultyServer[] = [
    { sink: 'nats', proxy: toNats, kill9: nats.kill9, start: nats.start, signal: signalTo(nats) },
    { sink: 'redis', proxy: toRedis, kill9: redis.kill9, start: redis.start, signal: signalTo(redis) },
  ];
  const readers = [new NatsReader(history, nats.url, STREAM), new RedisReader(history, redis.port, STREAM), hook];
  const server = `redis://127.0.0.1:${toRedis.port}`;
  return {
    ...{ faulty, readers, redisPort: redis.port, cachePrefix: CACHE },
    bodies: {
      nats: { kind: 'nats', settings: { servers: [`nats://127.0.0.1:${toNats.port}`], stream: STREAM } },
      redis: { kind: 'redis', settings: { server, stream: STREAM, maxLength: 0, cachePrefix: CACHE } },
      webhook: { kind: 'webhook', settings: { url: `http://127.0.0.1:${hook.port}/` } },
    },
    expect: ({ secret = '' }) => hook.expect(secret),
    async stop() {
      for (const reader of readers) await reader.close();
      for (const { proxy } of faulty) await proxy.stop();
      await Promise.all([nats.stop(), redis.stop()]);
    },
  };
}
