import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:https';
import { isIPv6, type AddressInfo, type Server as NetServer } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Config, TlsFiles } from '../../config/config.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { onClientError } from './client-error.js';
import { Connections } from './connections.js';
import { SERVER_OPTIONS, SOCKET_IDLE_MS } from './http-server.js';

/** Origins such as `http://127.0.0.1:8080`. */
export interface HttpAddresses {
  readonly http: string;
  readonly https: string | null;
}

/**
 * Opens the HTTP door, and the HTTPS one where there is a port for it. Both serve the same routes; both close with the
 * application.
 * @param attach is called with each server before it listens
 * @throws Error EADDRINUSE and the like, with the port in it
 */
export async function listenHttp(
  app: NestFastifyApplication,
  config: Config,
  attach: (server: Server) => void = () => undefined,
): Promise<HttpAddresses> {
  const { host, port, tlsPort } = config.http;
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const secure = tlsPort !== null && config.tls ? secureServer(fastify, config.tls) : null;
  const servers = secure ? [fastify.server, secure] : [fastify.server];
  for (const server of servers) attach(server);
  const logger = app.get<Logger>(LOGGER, { strict: false });
  const connections = servers.map((server) => new Connections(server));
  fastify.addHook('preClose', (done) => {
    for (const each of connections) each.drain(config.drainTimeoutMs);
    done();
  });
  if (secure) fastify.addHook('onClose', () => closed(secure));
  await app.listen(port, host);
  if (secure && tlsPort !== null) {
    secure.listen(tlsPort, host);
    await once(secure, 'listening');
  }
  // Such as ENFILE on accept, which would end the process: the node goes on with the connections it has.
  for (const server of servers) server.on('error', (error) => logger.error({ err: error }, 'an HTTP listener failed'));
  return { http: origin('http', host, fastify.server), https: secure && origin('https', host, secure) };
}

function secureServer(fastify: FastifyInstance, files: TlsFiles): Server {
  const options = {
    ...SERVER_OPTIONS,
    cert: readFileSync(files.cert),
    key: readFileSync(files.key),
    minVersion: 'TLSv1.2' as const,
    handshakeTimeout: SERVER_OPTIONS.headersTimeout,
  };
  const server = createServer(options, (request, response) => fastify.routing(request, response));
  server.setTimeout(SOCKET_IDLE_MS);
  server.on('clientError', onClientError);
  return server;
}

async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}

function origin(scheme: string, host: string, server: NetServer): string {
  const { port } = server.address() as AddressInfo;
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
