import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { memoryFolder } from './memory-folder.js';
import { freePort } from './ports.js';
import { ServerProcess } from './server-process.js';
import { stopProcess } from './stop-process.js';
import { TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';

export interface SentinelOptions {
  /** Replicas that must have answered lately, or the primary writes nothing; absent: none. */
  readonly minReplicas?: number;
  /** Where each of the three hosts is: its address, and the command that runs a server there; loopback unless told. */
  readonly host?: (index: number) => { readonly address: string; readonly through: readonly string[] };
  /**
   * Milliseconds from the primary to a replica, by proxies. Then there are no sentinels: they would bring the replicas
   * back to the primary itself.
   */
  readonly between?: number;
  /** 1: a primary alone, without sentinels. */
  readonly hosts?: 1 | 3;
  /** Milliseconds without an answer after which a sentinel holds a primary for dead. */
  readonly downAfterMs?: number;
  /** Where each host keeps its data; else a temporary folder that goes with the servers. */
  readonly folder?: (index: number) => string;
}

/** A Redis server, or a sentinel. It keeps its data over kill9() and start(). */
export interface RedisHost {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  kill9(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  pause(): void;
  resume(): void;
}

/** A primary, two replicas and three sentinels, each write on the disk before it is answered (appendfsync always). */
export interface SentinelCluster {
  readonly name: string;
  readonly servers: readonly RedisHost[];
  readonly sentinels: readonly RedisHost[];
  /** Index of the server that most sentinels name. @throws Error when none do within 10 s */
  primary(): Promise<number>;
  stop(): Promise<void>;
}

/** Of SentinelOptions.downAfterMs. */
export const DOWN_AFTER_MS = 1_000;
/** Times that, for a failover to be tried again. */
const FAILOVER_TIMES = 5;
const HOSTS = 3;
const QUORUM = 2;
const NAME = 'umbra';
/** Seconds that a replica may be silent before it no longer counts for minReplicas. */
const MAX_LAG_SECONDS = 2;

interface Started {
  readonly host: string;
  readonly port: number;
  readonly server: ServerProcess;
}

export async function startSentinelCluster(options: SentinelOptions = {}): Promise<SentinelCluster> {
  const folder = await mkdtemp(join(memoryFolder(), 'umbra-sentinel-'));
  const started: Started[] = [];
  const proxies: TcpProxy[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(started.map(({ server }) => server.end('SIGKILL')));
    await Promise.all(started.map(({ server }) => server.stop()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const servers = await startServers(folder, options, started, proxies);
    const isWatched = options.between === undefined && servers.length > 1;
    const sentinels = isWatched ? await startSentinels(folder, options, servers, started) : [];
    await until('replicas and sentinels know each other', () => isWhole(servers, sentinels));
    const primary = (): Promise<number> => primaryOf(servers, sentinels);
    return {
      ...{ name: NAME, servers: servers.map(hostOf), primary, stop },
      sentinels: sentinels.map(hostOf),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServers(
  folder: string,
  options: SentinelOptions,
  started: Started[],
  proxies: TcpProxy[],
): Promise<Started[]> {
  const servers: Started[] = [];
  for (let i = 0; i < (options.hosts ?? HOSTS); i++) {
    const primary = servers[0];
    const lines = [
      ...['appendonly yes', 'appendfsync always', 'save ""', 'repl-diskless-sync-delay 0', 'repl-timeout 5'],
      // Where replicas confirm, they say so at once; the primary asks the others every second.
      'repl-ping-replica-period 1',
    ];
    if (options.minReplicas !== undefined)
      lines.push(`min-replicas-to-write ${options.minReplicas}`, `min-replicas-max-lag ${MAX_LAG_SECONDS}`);
    if (primary) {
      const { between } = options;
      const proxy = between === undefined ? null : await TcpProxy.start(primary.port, primary.host);
      proxy?.latency(between ?? 0);
      if (proxy) proxies.push(proxy);
      lines.push(proxy ? `replicaof 127.0.0.1 ${proxy.port}` : `replicaof ${primary.host} ${primary.port}`);
    }
    servers.push(await startOne(folder, `server-${i}`, i, options, lines, started));
  }
  return servers;
}

async function startSentinels(
  folder: string,
  options: SentinelOptions,
  servers: readonly Started[],
  started: Started[],
): Promise<Started[]> {
  const primary = servers[0] as Started;
  const { downAfterMs = DOWN_AFTER_MS } = options;
  const lines = [
    `sentinel monitor ${NAME} ${primary.host} ${primary.port} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    ...[`sentinel failover-timeout ${NAME} ${downAfterMs * FAILOVER_TIMES}`, `sentinel parallel-syncs ${NAME} 2`],
  ];
  const each = Array.from({ length: HOSTS }, (_, i) => startOne(folder, `sentinel-${i}`, i, options, lines, started));
  return Promise.all(each);
}

/** A server rewrites its file when it gets another primary, and reads it when it starts again. */
async function startOne(
  folder: string,
  name: string,
  index: number,
  options: SentinelOptions,
  lines: readonly string[],
  started: Started[],
): Promise<Started> {
  const { address: host, through } = options.host?.(index) ?? { address: '127.0.0.1', through: [] };
  const port = await freePort();
  const dir = join(options.folder?.(index) ?? folder, name);
  await mkdir(dir);
  const file = join(dir, 'redis.conf');
  const shared = [
    `port ${port}`,
    `bind ${host}`,
    `dir ${dir}`,
    'protected-mode no',
    'loglevel warning',
    'daemonize no',
  ];
  await writeFile(file, `${[...shared, ...lines].join('\n')}\n`);
  const program = name.startsWith('sentinel') ? ['redis-server', file, '--sentinel'] : ['redis-server', file];
  const [command = '', ...args] = [...through, ...program];
  const server = new ServerProcess(command, args, () => answers(host, port));
  const one = { host, port, server };
  started.push(one);
  await server.start();
  return one;
}

const hostOf = ({ host, port, server }: Started): RedisHost => ({
  ...{ host, port },
  get pid() {
    return server.pid;
  },
  kill9: () => server.end('SIGKILL'),
  start: () => server.start(),
  pause: () => stopProcess(server.pid),
  resume: () => process.kill(server.pid, 'SIGCONT'),
});

/** One answer of a server, on a connection of its own; null: none. */
export async function askRedis<T>(
  { host, port }: { readonly host: string; readonly port: number },
  ask: (redis: Redis) => Promise<T>,
  timeoutMs = 500,
): Promise<T | null> {
  const times = { connectTimeout: timeoutMs, commandTimeout: timeoutMs };
  const redis = new Redis({
    host,
    port,
    ...times,
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await ask(redis);
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}

const answers = async (host: string, port: number): Promise<boolean> =>
  (await askRedis({ host, port }, (redis) => redis.ping())) === 'PONG';

async function isWhole(servers: readonly Started[], sentinels: readonly Started[]): Promise<boolean> {
  const replicas = servers.length - 1;
  const info = (await askRedis(servers[0] as Started, (redis) => redis.info('replication'))) ?? '';
  if ((info.match(/state=online/g) ?? []).length < replicas) return false;
  const known = await Promise.all(
    sentinels.map((each) => askRedis(each, (redis) => redis.call('SENTINEL', 'MASTER', NAME))),
  );
  return known.every((answer) => {
    const facts = factsOf(answer);
    return facts.get('num-other-sentinels') === String(HOSTS - 1) && facts.get('num-slaves') === String(replicas);
  });
}

function factsOf(answer: unknown): Map<string, string> {
  if (!Array.isArray(answer)) return new Map(Object.entries((answer ?? {}) as Record<string, string>));
  const list = answer as string[];
  return new Map(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] ?? ''] as const] : [])));
}

async function primaryOf(servers: readonly Started[], sentinels: readonly Started[]): Promise<number> {
  if (sentinels.length === 0) return 0;
  return until(
    'most sentinels name one primary',
    async () => {
      const named = await Promise.all(
        sentinels.map((each) => askRedis(each, (redis) => redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME))),
      );
      const counts = servers.map(
        ({ host, port }) => named.filter((answer) => String(answer) === `${host},${port}`).length,
      );
      const index = counts.findIndex((count) => count >= QUORUM);
      return index < 0 ? null : { index };
    },
    10_000,
  ).then(({ index }) => index);
}
