import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { noop } from 'cockatiel';
import { Etcd3, type IOptions } from 'etcd3';
import type { Authority } from './certificates.js';
import { memoryFolder } from './memory-folder.js';
import { freePort } from './ports.js';
import { stopProcess } from './stop-process.js';

/** Seconds that a JWT of a test lives: longer than any scenario, so that nothing heals by its end. */
const JWT_TTL_SECONDS = 600;

/** Users and TLS towards clients. Everybody is root, with the password `root`. */
export interface EtcdSecurity {
  readonly authority: Authority;
  readonly tokens: 'simple' | 'jwt';
}

export interface EtcdOptions {
  readonly security?: EtcdSecurity;
  /** Kept on stop() when given; else a temporary folder that goes with the server. */
  readonly dataDir?: string;
  readonly port?: number;
  /** Bytes of `--quota-backend-bytes`. */
  readonly quotaBytes?: number;
  /** More flags of the server. */
  readonly args?: readonly string[];
  /** Address that it listens on; loopback unless told. */
  readonly host?: string;
  /** Runs the server through this command, which must replace itself by it, such as `ip netns exec`. */
  readonly through?: readonly string[];
}

/** One single-member etcd of a test. It is ours: started here, ended by its process id. */
export interface EtcdServer {
  /** As the client wants it, such as `http://127.0.0.1:21000`. */
  readonly endpoint: string;
  readonly port: number;
  readonly dataDir: string;
  readonly pid: number;
  /** Ends the server in order and removes a temporary data folder. May be called twice. */
  stop(): Promise<void>;
  /** Ends the server in order; data folder and port stay for restart(). */
  shutdown(): Promise<void>;
  kill9(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  pause(): void;
  resume(): void;
  /** Starts again on the same data and port; ends a running one in order first. */
  restart(): Promise<void>;
  /** A plain client without retries, closed by stop(). */
  readonly client: Etcd3;
}

const START_TIMEOUT_MS = 60_000;

/**
 * Flags of a server alone in its cluster that is started again and again: it elects itself a second earlier. Not for leases
 * of a few seconds, which cannot be shorter than 1.5 times the second one.
 */
export const QUICK_ELECTION: readonly string[] = ['--heartbeat-interval', '20', '--election-timeout', '200'];

/** Ends when a linearizable read of the server that we started is answered. */
async function ready(child: ChildProcess, connect: (timeoutMs: number) => Etcd3, output: () => string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`etcd ended at start: ${output()}`);
    const probe = connect(500);
    try {
      await probe.kv.range({ key: Buffer.from('ready'), count_only: true });
      if (child.exitCode === null) return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`etcd not ready: ${String(error)}: ${output()}`, { cause: error });
      await pause(20);
    } finally {
      probe.close();
    }
  }
}

function plainClient(endpoint: string, timeoutMs: number, more: Partial<IOptions> = {}): Etcd3 {
  return new Etcd3({
    ...more,
    hosts: endpoint,
    faultHandling: { global: noop, host: () => noop },
    defaultCallOptions: (context) => (context.isStream ? {} : { deadline: Date.now() + timeoutMs }),
    grpcOptions: { 'grpc.max_receive_message_length': -1, 'grpc.use_local_subchannel_pool': 1 },
  });
}

async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  // A stopped process only takes SIGKILL.
  if (signal !== 'SIGKILL') child.kill('SIGCONT');
  child.kill(signal);
  await ended;
}

function flagsOf({ authority: { server }, tokens }: EtcdSecurity): string[] {
  const jwt = `jwt,pub-key=${server.cert},priv-key=${server.key},sign-method=RS256,ttl=${JWT_TTL_SECONDS}s`;
  return ['--cert-file', server.cert, '--key-file', server.key, '--auth-token', tokens === 'jwt' ? jwt : 'simple'];
}

async function enableUsers(client: Etcd3): Promise<void> {
  await client.user('root').create('root');
  await client.role('root').create();
  await client.user('root').addRole('root');
  await client.auth.authEnable();
}

export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdServer> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(memoryFolder(), 'umbra-etcd-')));
  const port = options.port ?? (await freePort());
  const host = options.host ?? '127.0.0.1';
  const peer = `http://${host}:${await freePort()}`;
  const { security } = options;
  const endpoint = `${security ? 'https' : 'http'}://${host}:${port}`;
  const args = [
    '--name',
    'test',
    '--data-dir',
    dataDir,
    '--log-level',
    'error',
    '--logger',
    'zap',
    '--log-outputs',
    'stderr',
  ];
  args.push('--listen-client-urls', endpoint, '--advertise-client-urls', endpoint, '--listen-peer-urls', peer);
  args.push('--initial-advertise-peer-urls', peer, '--initial-cluster', `test=${peer}`);
  if (options.quotaBytes !== undefined) args.push('--quota-backend-bytes', String(options.quotaBytes));
  if (security) args.push(...flagsOf(security));
  args.push(...(options.args ?? []));
  const tls = security ? { credentials: { rootCertificate: await readFile(security.authority.ca) } } : {};
  let auth: Pick<IOptions, 'auth'> = {};
  const connect = (timeoutMs: number): Etcd3 => plainClient(endpoint, timeoutMs, { ...tls, ...auth });

  let child: ChildProcess | null = null;
  const killAtExit = (): void => void child?.kill('SIGKILL');
  const start = async (): Promise<void> => {
    let text = '';
    const [command = 'etcd', ...rest] = [...(options.through ?? []), 'etcd', ...args];
    const started = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
    child = started;
    started.stderr.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-2000)));
    const failed = once(started, 'error').then(([error]) => Promise.reject(error as Error));
    failed.catch(() => undefined);
    await Promise.race([ready(started, connect, () => text), failed]);
  };
  process.once('exit', killAtExit);
  let client = connect(5_000);
  const secured = async (): Promise<void> => {
    await start();
    if (!security) return;
    await enableUsers(client);
    client.close();
    auth = { auth: { username: 'root', password: 'root' } };
    client = connect(5_000);
  };
  await secured().catch(async (error: unknown) => {
    await end(child, 'SIGKILL');
    throw error;
  });

  return {
    endpoint,
    port,
    dataDir,
    get client() {
      return client;
    },
    get pid() {
      return child?.pid ?? -1;
    },
    async stop() {
      client.close();
      await end(child, 'SIGTERM');
      process.removeListener('exit', killAtExit);
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
    shutdown: () => end(child, 'SIGTERM'),
    kill9: () => end(child, 'SIGKILL'),
    pause: () => child?.pid !== undefined && stopProcess(child.pid),
    resume: () => void child?.kill('SIGCONT'),
    async restart() {
      await end(child, 'SIGTERM');
      await start();
    },
  };
}
