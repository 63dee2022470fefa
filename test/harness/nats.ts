import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { memoryFolder } from './memory-folder.js';
import { freePort } from './ports.js';
import { ServerProcess } from './server-process.js';

export interface NatsServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** After kill9(): on the same port, with what it had. */
  start(): Promise<void>;
}

/** A NATS server with JetStream, in a folder of its own. */
export async function startNats(): Promise<NatsServer> {
  const port = await freePort();
  const folder = await mkdtemp(join(memoryFolder(), 'umbra-nats-'));
  // A message counts as stored when it is written; the folder is in memory.
  const args = ['-js', '-sd', folder, '-a', '127.0.0.1', '-p', String(port)];
  const server = new ServerProcess('nats-server', args, () => answers(port));
  await server.start();
  return {
    url: `nats://127.0.0.1:${port}`,
    get pid() {
      return server.pid;
    },
    kill9: () => server.end('SIGKILL'),
    start: () => server.start(),
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The server speaks first. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', (data) => (socket.destroy(), resolve(data.toString().startsWith('INFO'))));
    socket.once('error', () => resolve(false));
  });
}
