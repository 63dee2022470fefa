import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { widePath } from '../programs.mjs';
import { freePort } from './ports.js';
import { ServerProcess } from './server-process.js';

/** A server behind the balancer. */
export interface Backend {
  readonly name: string;
  readonly port: number;
  /** Where it says whether it is ready. */
  readonly healthPort: number;
}

export interface Balancer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Whether there is a haproxy to run. */
export function hasHaproxy(): boolean {
  process.env['PATH'] = widePath(process.env['PATH']);
  return spawnSync('haproxy', ['-v']).error === undefined;
}

/** A haproxy for MQTT, as docs/operations.md shows it. It takes the server with the fewest connections. */
export async function startHaproxy(backends: readonly Backend[], maxConnections: number): Promise<Balancer> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'umbra-haproxy-'));
  const file = join(folder, 'haproxy.cfg');
  await writeFile(file, configuration(port, backends, maxConnections));
  const server = new ServerProcess('haproxy', ['-db', '-f', file], () => answers(port));
  await server.start();
  return {
    port,
    async stop() {
      // SIGTERM ends it at once, with its connections.
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const configuration = (port: number, backends: readonly Backend[], maxConnections: number): string => `
global
  maxconn ${maxConnections}
defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  retries 3
  option redispatch 1
listen mqtt
  bind 127.0.0.1:${port}
  balance leastconn
  option httpchk GET /health/ready
  default-server check inter 500ms fall 1 rise 1
${backends.map((each) => `  server ${each.name} 127.0.0.1:${each.port} port ${each.healthPort}`).join('\n')}
`;

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
