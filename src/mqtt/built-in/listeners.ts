import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { Inject, Injectable } from '@nestjs/common';
import { ACCESS, type Access } from '../../access/access.module.js';
import type { Principal } from '../../access/principal.js';
import { CONFIG, type Config, type TlsFiles } from '../../config/config.js';
import { connectionsWithin, descriptorLimit } from '../../config/descriptors.js';
import { RequestHeads } from '../../http/request-head.js';
import { NodeCertificate } from '../../tls/node-certificate.js';
import { ASK_FOR_CERTIFICATES } from '../../tls/peer-certificate.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { METRICS, Metrics } from '../../telemetry/metrics.js';
import { AddressLimit } from './address-limit.js';
import { MqttBroker } from './broker.js';
import type { Accepted } from './connections/accepted.js';
import { CONNECT_TIMEOUT_MS } from './connections/limits.js';
import { shareReads } from './connections/shared-reads.js';
import { ConnectionLimit } from './connection-limit.js';
import { DescriptorProbe, warnOfFewDescriptors } from './descriptors.js';
import { addressOf } from './gates/credentials.js';
import { UpgradeGate } from './gates/upgrade-gate.js';
import { MqttWebSockets } from './web-sockets.js';

/** URLs, with the ports that were really taken. */
export interface MqttAddresses {
  readonly mqtt: string;
  readonly mqtts: string | null;
}

/** Milliseconds after which the operating system asks whether a silent peer is still there. */
const KEEP_ALIVE_MS = 60_000;
/** Connections that may wait to be accepted: thousands of devices come back at once. The kernel may allow fewer. */
const BACKLOG = 4096;
/** Names that AWS clients ask for by ALPN; clients that ask for none are served as well. */
const ALPN = ['x-amzn-mqtt-ca', 'mqtt'];

/** Accepts MQTT connections: TCP, TLS, and WebSockets of the HTTP servers. */
@Injectable()
export class MqttListeners {
  readonly #webSockets: MqttWebSockets;
  /** With the network that each comes from. */
  readonly #open = new Map<Duplex, string>();
  readonly #limit: ConnectionLimit;
  readonly #addresses: AddressLimit;
  readonly #probe: DescriptorProbe;
  #plain: Server | null = null;
  #tls: Server | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(MqttBroker) private readonly broker: MqttBroker,
    @Inject(ACCESS) private readonly access: Access,
    @Inject(METRICS) private readonly metrics: Metrics = new Metrics(),
  ) {
    const { authenticator, routes, audit } = access;
    const descriptors = descriptorLimit();
    // 0: as many as there is room for.
    const max = config.mqtt.maxConnections || connectionsWithin(descriptors);
    this.#limit = new ConnectionLimit(max, logger);
    this.#addresses = new AddressLimit(access.sessions.connectionsOfAddress);
    this.#probe = new DescriptorProbe(logger);
    warnOfFewDescriptors(descriptors, max, logger);
    this.#webSockets = new MqttWebSockets(
      config.mqtt.maxPacketBytes,
      (stream, request, proven) => this.#accept(stream, request, proven),
      this.#limit,
      new RequestHeads([config.http.host, ...config.http.names]),
      new UpgradeGate(authenticator, routes, audit, logger),
    );
  }

  get listening(): boolean {
    return this.#plain?.listening === true && this.#tls?.listening !== false;
  }

  /** @throws Error EADDRINUSE and the like; of node:fs and node:tls for files that cannot be used */
  async open(): Promise<void> {
    const { mqtt, tls } = this.config;
    this.#probe.start();
    this.#plain = createServer({ noDelay: true, pauseOnConnect: true, ...keepAlive });
    this.#limit.watch(this.#plain, true);
    this.#plain.on('connection', (accepted: Socket) => this.#acceptPlain(accepted));
    await this.#listen(this.#plain, mqtt.port);
    if (mqtt.tlsPort === null) return;
    if (tls === null) throw new Error('MQTT over TLS needs a certificate');
    this.#tls = createSecureServer(tls, this.access.authenticator.isRequired, this.metrics, this.logger);
    this.#limit.watch(this.#tls, false);
    this.#tls.on('secureConnection', (socket: Socket) => this.#accept(socket));
    this.#tls.on('tlsClientError', ({ message }: Error) => this.logger.debug({ reason: message }, 'TLS handshake failed')); // prettier-ignore
    await this.#listen(this.#tls, mqtt.tlsPort);
  }

  addresses(): MqttAddresses {
    const url = (scheme: string, server: Server | null): string | null => {
      const address = server?.address() as AddressInfo | null | undefined;
      if (!address) return null;
      const { host } = this.config.mqtt;
      return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${address.port}`;
    };
    const mqtt = url('mqtt', this.#plain);
    if (mqtt === null) throw new Error('MQTT does not listen');
    return { mqtt, mqtts: url('mqtts', this.#tls) };
  }

  /** Serves MQTT over WebSocket at /mqtt of an HTTP server. */
  attachWebSocket(server: HttpServer): void {
    this.#webSockets.attach(server);
  }

  /** Accepts nothing more; open connections stay. */
  stopAccepting(): void {
    for (const server of [this.#plain, this.#tls]) server?.close();
    this.#webSockets.stopAccepting();
  }

  /** Ends all open connections. */
  destroyAll(): void {
    for (const stream of this.#open.keys()) stream.destroy();
    this.#probe.stop();
    this.#limit.stop();
  }

  #listen(server: Server, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: this.config.mqtt.host, backlog: BACKLOG }, () => {
        server.removeListener('error', reject);
        // The node continues with the connections that it has.
        server.on('error', (error) => this.logger.error({ err: error }, 'an MQTT listener failed'));
        resolve();
      });
    });
  }

  #acceptPlain(accepted: Socket): void {
    const socket = shareReads(accepted);
    // What was not moved, its listener counts too.
    this.#limit.opened(socket, socket === accepted ? this.#plain : null);
    this.#accept(socket);
  }

  #accept(stream: Duplex, request?: IncomingMessage, proven: Principal | null = null): void {
    const socket = request?.socket ?? stream;
    const network = this.#addresses.networkOf(addressOf(socket));
    const excess = this.#addresses.entered(network);
    this.#open.set(stream, network);
    stream.once('close', () => this.#closed(stream));
    if (excess !== null) return this.#refuse(stream, network, { isRefused: false, excess, socket });
    // Only a WebSocket comes with a request, over an HTTP server, which the limit does not watch.
    const isRefused = !this.#limit.admit(stream, request === undefined);
    if (request === undefined) return this.broker.accept(stream, PLAIN[Number(isRefused)]!);
    this.broker.accept(stream, { isRefused, socket: request.socket, ...(proven !== null && { proven }) });
  }

  /** One beyond the share of its network takes no place of the others: it is there to hear it, or is closed at once. */
  #refuse(stream: Duplex, network: string, how: Accepted): void {
    if (this.#addresses.isFlooded(network)) stream.destroy();
    else this.broker.accept(stream, how);
  }

  #closed(stream: Duplex): void {
    this.#addresses.left(this.#open.get(stream) ?? '');
    this.#open.delete(stream);
  }
}

/** Shared: an object of its own would cost every connection. */
const PLAIN: readonly Accepted[] = [{ isRefused: false }, { isRefused: true }];

const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };

/** With authorities of clients in its files OpenSSL lets nobody else in, whatever the doors find out afterwards. */
function createSecureServer(
  files: TlsFiles,
  asksForCertificates: boolean,
  metrics: Metrics,
  logger: Logger,
): TlsServer {
  const required = files.ca !== null;
  const asked = asksForCertificates && !required ? ASK_FOR_CERTIFICATES : {};
  const tried = metrics.node.countTlsReloads('mqtts');
  const certificate = new NodeCertificate(files, { minVersion: 'TLSv1.2', ...asked }, logger, { tried });
  const server = createTlsServer({
    ...certificate.read(),
    requestCert: required,
    rejectUnauthorized: required,
    ...asked,
    ALPNProtocols: ALPN,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    noDelay: true,
    ...keepAlive,
  });
  certificate.follow(server);
  metrics.node.readTlsNotAfter('mqtts', () => certificate.notAfter);
  return server;
}
