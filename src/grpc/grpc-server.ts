import { once } from 'node:events';
import { createServer, isIPv6, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import {
  logVerbosity,
  Server,
  ServerCredentials,
  setLogVerbosity,
  type ServerInterceptor,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { ServiceDefinition } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import type { Config, TlsFiles } from '../config/config.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { NodeCertificate } from '../tls/node-certificate.js';
import { ASK_FOR_CERTIFICATES } from '../tls/peer-certificate.js';
import type { GrpcConnections } from './grpc-connections.js';
import type { GrpcHealth } from './grpc-health.js';
import { loadDefinition, type Method, type Services } from './grpc-methods.js';
import { addReflection } from './grpc-reflection.js';

/** Milliseconds for a TLS handshake. */
const HANDSHAKE_MS = 10_000;
/** Milliseconds without a call after which a connection is closed, as at the door of HTTP. */
const IDLE_MS = 65_000;
/** Milliseconds between two pings to a peer, and for their answers: a dead one would hold its streams for ever. */
const PING_MS = 60_000;
const PONG_MS = 20_000;
/** Calls at once on one connection; clients keep further ones back. */
const MAX_CALLS = 1_000;
/** Bytes of a message: a transaction of 1 MiB, and what is around it. */
const MAX_MESSAGE_BYTES = 1280 * 1024;
/** Bytes of headers, frames and messages of one connection that are held; more calls on it are refused meanwhile. */
const SESSION_MIB = 32;

export interface GrpcServerParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly connections: GrpcConnections;
  readonly health: GrpcHealth;
  readonly services: Services;
  readonly intercept: ServerInterceptor;
  /** Whether clients are asked for certificates; the door judges them. */
  readonly asksForCertificates: boolean;
  readonly metrics?: Metrics;
}

/** Such as `http://127.0.0.1:9090`. */
export interface GrpcAddresses {
  readonly grpc: string | null;
  readonly grpcs: string | null;
}

/**
 * The server of the library over listeners of our own: it binds ports by itself only without a bound on connections, and
 * with a certificate that stays.
 */
export class GrpcServer {
  readonly #server: Server;
  readonly #listeners: NetServer[] = [];
  #plain: NetServer | null = null;
  #secure: NetServer | null = null;

  constructor(private readonly parts: GrpcServerParts) {
    const { services, intercept, health } = parts;
    // The library writes metadata that it cannot read to stderr, keys of clients among them.
    setLogVerbosity(logVerbosity.NONE);
    this.#server = new Server({
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': MAX_CALLS,
      'grpc.max_connection_idle_ms': IDLE_MS,
      'grpc.keepalive_time_ms': PING_MS,
      'grpc.keepalive_timeout_ms': PONG_MS,
      'grpc-node.max_session_memory': SESSION_MIB,
      interceptors: [intercept],
    });
    const healthDefinition = loadDefinition(healthProto);
    addReflection(this.#server, { ...services.definition, ...healthDefinition });
    health.addTo(this.#server, healthDefinition['grpc.health.v1.Health'] as ServiceDefinition);
  }

  /** @throws Error for a path that is taken */
  add(methods: Readonly<Record<string, Method>>, handlers: UntypedServiceImplementation): void {
    this.#server.addService(methods, handlers);
  }

  /** @throws Error EADDRINUSE and the like, with the port in it; of node:fs and node:tls for certificates */
  async listen(): Promise<void> {
    const { grpc, tls } = this.parts.config;
    if (grpc.port !== null) this.#plain = await this.#listen(createServer({ noDelay: true }), 'connection', grpc.port);
    if (grpc.tlsPort === null) return;
    if (tls === null) throw new Error('gRPC over TLS needs a certificate');
    this.#secure = await this.#listen(this.#secureServer(tls), 'secureConnection', grpc.tlsPort);
  }

  /** @throws Error before it listens */
  addresses(): GrpcAddresses {
    const { host } = this.parts.config.grpc;
    const url = (scheme: string, server: NetServer | null): string | null =>
      server && `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`;
    return { grpc: url('http', this.#plain), grpcs: url('https', this.#secure) };
  }

  get isListening(): boolean {
    return this.#listeners.length > 0 && this.#listeners.every(({ listening }) => listening);
  }

  /** Takes no more connections and calls; those that are open may end. Resolves when all connections have. */
  shutdown(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  /** Cuts what is left. */
  destroy(): void {
    this.#server.forceShutdown();
    this.parts.connections.destroyAll();
    this.parts.connections.stop();
  }

  #secureServer({ cert, key }: TlsFiles): NetServer {
    const { asksForCertificates, logger } = this.parts;
    const asked = asksForCertificates ? ASK_FOR_CERTIFICATES : {};
    // A client that does not speak HTTP/2 gets no further than the handshake.
    const common = { minVersion: 'TLSv1.2' as const, ALPNProtocols: ['h2'], ...asked };
    const node = this.parts.metrics?.node;
    const certificate = new NodeCertificate(
      { cert, key },
      common,
      logger,
      node && { tried: node.countTlsReloads('grpcs') },
    );
    const server = createTlsServer({ ...certificate.read(), ...common, handshakeTimeout: HANDSHAKE_MS, noDelay: true });
    server.on('tlsClientError', ({ message }: Error) => logger.debug({ reason: message }, 'TLS handshake failed'));
    certificate.follow(server);
    node?.readTlsNotAfter('grpcs', () => certificate.notAfter);
    return server;
  }

  async #listen(server: NetServer, event: 'connection' | 'secureConnection', port: number): Promise<NetServer> {
    const { connections, logger, config } = this.parts;
    // Of TLS, too: what lies above is a socket like others.
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    connections.watch(server);
    server.on(event, (socket: Socket) => {
      if (!socket.destroyed) injector.injectConnection(socket);
    });
    server.listen(port, config.grpc.host);
    await once(server, 'listening');
    this.#listeners.push(server);
    server.on('error', (err) => logger.error({ err }, 'a gRPC listener failed'));
    return server;
  }
}
