import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer } from 'node:https';
import { isIPv6, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { TlsFiles } from '../../config/config.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Metrics } from '../../telemetry/metrics.js';
import { NodeCertificate } from '../../tls/node-certificate.js';
import { ASK_FOR_CERTIFICATES } from '../../tls/peer-certificate.js';
import type { ClientErrors } from './client-error.js';
import { SERVER_OPTIONS, SOCKET_IDLE_MS } from './server-options.js';

/** What a server with TLS is made of. */
export interface SecureServerParts {
  readonly files: TlsFiles;
  readonly clientErrors: ClientErrors;
  readonly logger: Logger;
  /** Whether clients are asked for certificates; the doors judge them. */
  readonly asksForCertificates: boolean;
  readonly metrics: Metrics;
}

/** A server with TLS for the routes of `fastify`. It does not listen yet. */
export function secureServer(fastify: FastifyInstance, parts: SecureServerParts): Server {
  const { files, clientErrors, logger } = parts;
  const { cert, key } = files;
  const asked = parts.asksForCertificates ? ASK_FOR_CERTIFICATES : {};
  const tried = parts.metrics.node.countTlsReloads('https');
  const certificate = new NodeCertificate({ cert, key }, { minVersion: 'TLSv1.2', ...asked }, logger, { tried });
  const options = {
    ...SERVER_OPTIONS,
    ...certificate.read(),
    ...asked,
    handshakeTimeout: SERVER_OPTIONS.headersTimeout,
  };
  const server = createServer(options, (request, response) => fastify.routing(request, response));
  certificate.follow(server);
  parts.metrics.node.readTlsNotAfter('https', () => certificate.notAfter);
  server.setTimeout(SOCKET_IDLE_MS);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => clientErrors.answer(error, socket));
  return server;
}

/** Stops listening and waits until the last connection has ended. Does nothing for a server that never listened. */
export async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}

/** Such as `http://127.0.0.1:8080`. */
export function origin(scheme: string, host: string, server: NetServer): string {
  const { port } = server.address() as AddressInfo;
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
