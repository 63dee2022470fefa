import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { memoryFolder } from './memory-folder.js';
import { freePort } from './ports.js';
import { ServerProcess } from './server-process.js';

export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** After kill9(): on the same port, with what it had. */
  start(): Promise<void>;
  /** After kill9(): it has nothing any more. */
  wipe(): Promise<void>;
}

/** A Redis that has every write on the disk before it answers (appendfsync always), in a folder of its own. */
export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const dir = await mkdtemp(join(memoryFolder(), 'umbra-redis-'));
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--appendonly', 'yes'];
  args.push('--appendfsync', 'always', '--save', '', '--daemonize', 'no', '--loglevel', 'warning');
  const server = new ServerProcess('redis-server', args, () => answers(port));
  await server.start();
  return {
    port,
    get pid() {
      return server.pid;
    },
    kill9: () => server.end('SIGKILL'),
    start: () => server.start(),
    async wipe() {
      await rm(dir, { recursive: true, force: true });
      await mkdir(dir);
    },
    async stop() {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (data) => (socket.destroy(), resolve(data.toString().startsWith('+PONG'))));
    socket.once('error', () => resolve(false));
  });
}
