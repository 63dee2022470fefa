import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { builtMain } from './build.js';

export interface NodeOptions {
  /** Variables beside the defaults of a test node; `undefined` removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Kept on stop() when given; else a temporary folder that goes with the node. */
  readonly dataDir?: string;
  /** `listening`: the doors are open, but it may still wait for its etcd. */
  readonly until?: 'ready' | 'listening';
  /** Limit of open file descriptors of the process. */
  readonly descriptors?: number;
  /** Another build than dist/main.js. */
  readonly main?: string;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One real node of a test: its own process, started here and ended by its process id. */
export interface NodeProcess {
  readonly pid: number;
  readonly dataDir: string;
  readonly exited: Promise<Exit>;
  readonly running: boolean;
  /** Everything written to stdout and stderr so far. */
  logs(): string;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then the exit. Removes a temporary data folder. May be called twice. */
  stop(): Promise<Exit>;
  /** SIGKILL, then the exit; the data folder stays. */
  kill9(): Promise<void>;
}

/** A node that has said `ready`. */
export interface ReadyNode extends NodeProcess {
  readonly httpUrl: string;
  readonly httpsUrl: string | null;
  readonly mqttUrl: string;
  readonly mqttsUrl: string | null;
}

/** Milliseconds until `ready`: on a busy machine the local etcd takes most of it. */
const START_TIMEOUT_MS = 90_000;
/** Longer than the drain of any node in the tests. */
const STOP_TIMEOUT_MS = 60_000;
/** Characters of output that are kept. */
const MAX_LOG = 4_000_000;
/** Characters of output that an error tells. */
const MAX_SHOWN = 3_000;

/** Starts a node without waiting for anything but the process. */
export async function spawnNode(options: NodeOptions = {}): Promise<NodeProcess> {
  const main = options.main ?? (await builtMain());
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'umbra-node-')));
  const command = [process.execPath, '--enable-source-maps', main];
  // The shell becomes the node, so the process id is the node's.
  const limited = ['sh', '-c', `ulimit -n ${options.descriptors}; exec "$@"`, 'sh', ...command];
  const [program = '', ...args] = options.descriptors === undefined ? command : limited;
  const child = spawn(program, args, {
    env: environment(dataDir, options.env ?? {}),
    // Away from the repository, so that nobody's .env is read.
    cwd: dataDir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => (text = (text + chunk).slice(-MAX_LOG)));
  }
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Exit);
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  void exited.then(() => process.removeListener('exit', killAtExit));
  return {
    pid: child.pid ?? -1,
    dataDir,
    exited,
    get running() {
      return isRunning(child);
    },
    logs: () => text,
    signal: (signal) => void child.kill(signal),
    async stop() {
      const exit = await end(child, exited);
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
      return exit;
    },
    async kill9() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Starts a node, and waits for the log line that says where it listens, by default the one when it is ready. */
export async function startNode(options: NodeOptions = {}): Promise<ReadyNode> {
  const node = await spawnNode(options);
  try {
    const { http, https, mqtt, mqtts } = await addresses(node, options.until ?? 'ready');
    // Getters of the process stay live.
    return Object.assign(Object.create(node) as NodeProcess, {
      httpUrl: http,
      httpsUrl: https,
      mqttUrl: mqtt,
      mqttsUrl: mqtts,
    });
  } catch (error) {
    await node.kill9();
    await node.stop();
    throw error;
  }
}

interface Addresses {
  readonly http: string;
  readonly https: string | null;
  readonly mqtt: string;
  readonly mqtts: string | null;
}

async function addresses(node: NodeProcess, message: string): Promise<Addresses> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const line = logLines(node.logs()).find(({ msg }) => msg === message);
    if (line) return line as unknown as Addresses;
    if (!node.running) throw new Error(`the node ended at start:\n${node.logs().slice(-MAX_SHOWN)}`);
    if (Date.now() > deadline) throw new Error(`the node is not ${message}:\n${node.logs().slice(-MAX_SHOWN)}`);
    await pause(20);
  }
}

/** The JSON lines of a log; others are left out. */
export function logLines(text: string): Record<string, unknown>[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [];
    try {
      return [JSON.parse(line) as Record<string, unknown>];
    } catch {
      return [];
    }
  });
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function end(child: ChildProcess, exited: Promise<Exit>): Promise<Exit> {
  if (!isRunning(child)) return exited;
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  try {
    return await exited;
  } finally {
    clearTimeout(timer);
  }
}

function environment(dataDir: string, given: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('UMBRA_')));
  const env: NodeJS.ProcessEnv = {
    ...clean,
    UMBRA_HTTP_PORT: '0',
    UMBRA_MQTT_PORT: '0',
    UMBRA_DATA_DIR: dataDir,
    UMBRA_LOG_LEVEL: 'info',
  };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}
