import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './ports.js';
import { stopProcess } from './stop-process.js';

/** The settings that docs/external-broker.md asks for. */
const NEEDED = {
  max_inflight_messages: '2000',
  max_queued_messages: '1000000',
  persistence: 'true',
  set_tcp_nodelay: 'true',
};

export interface MosquittoSettings {
  /** Lines of mosquitto.conf beside, or instead of, those that the documentation asks for. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Lines of an access file; without it everybody may do everything. */
  readonly acl?: readonly string[];
}

/** One mosquitto of a test: started here, ended by its process id. */
export interface MosquittoBroker {
  readonly url: string;
  readonly pid: number;
  logs(): string;
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** Ends it in order, which writes its sessions down, and starts it again on the same port. */
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
}

const START_TIMEOUT_MS = 60_000;

export async function startMosquitto({ settings = {}, acl }: MosquittoSettings = {}): Promise<MosquittoBroker> {
  const folder = await mkdtemp(join(tmpdir(), 'umbra-mosquitto-'));
  const port = await freePort();
  const all: Record<string, string> = {
    listener: `${port} 127.0.0.1`,
    allow_anonymous: 'true',
    persistence_location: `${folder}/`,
    sys_interval: '1',
    ...NEEDED,
    ...settings,
  };
  // mosquitto leaves root for a user of its own, which could not write here.
  if (process.getuid?.() === 0) all['user'] = 'root';
  if (acl) {
    all['acl_file'] = join(folder, 'acl');
    await writeFile(all['acl_file'], `${acl.join('\n')}\n`, { mode: 0o600 });
  }
  const file = join(folder, 'mosquitto.conf');
  await writeFile(file, `${Object.entries(all).map(([name, value]) => `${name} ${value}`).join('\n')}\n`); // prettier-ignore

  let child: ChildProcess | null = null;
  let text = '';
  const killAtExit = (): void => void child?.kill('SIGKILL');
  process.once('exit', killAtExit);
  const start = async (): Promise<void> => {
    const started = spawn('mosquitto', ['-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    child = started;
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-200_000)));
    await listening(started, port, () => text);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    child.kill(signal);
    await ended;
  };
  await start();
  return {
    url: `mqtt://127.0.0.1:${port}`,
    get pid() {
      return child?.pid ?? -1;
    },
    logs: () => text,
    async stop() {
      await end('SIGTERM');
      process.removeListener('exit', killAtExit);
      await rm(folder, { recursive: true, force: true });
    },
    kill9: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      await start();
    },
    pause: () => child?.pid !== undefined && stopProcess(child.pid),
    resume: () => void child?.kill('SIGCONT'),
  };
}

async function listening(child: ChildProcess, port: number, output: () => string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`mosquitto ended at start: ${output()}`);
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return;
    if (Date.now() > deadline) throw new Error(`mosquitto does not listen: ${output()}`);
    await pause(20);
  }
}
