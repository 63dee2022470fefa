import { readFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config, type TlsFiles } from '../../config/config.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { CONNECT_TIMEOUT_MS, MqttBroker } from './broker.js';
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
/** Connections of one listener; more are closed at once. */
const MAX_CONNECTIONS = 100_000;
/** Names that AWS clients ask for by ALPN; those who ask for none are served as well (CLIENTS, TLS port). */
const ALPN = ['x-amzn-mqtt-ca', 'mqtt'];

/** Where MQTT connections come in: TCP, TLS, and WebSockets of the HTTP servers. */
@Injectable()
export class MqttListeners {
  readonly #webSockets: MqttWebSockets;
  readonly #open = new Set<Duplex>();
  #plain: Server | null = null;
  #tls: Server | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(MqttBroker) private readonly broker: MqttBroker,
  ) {
    this.#webSockets = new MqttWebSockets(config.mqtt.maxPacketBytes, (stream, request) => {
      this.#track(stream);
      broker.accept(stream, request);
    });
  }

  get listening(): boolean {
    return this.#plain?.listening === true && this.#tls?.listening !== false;
  }

  /** @throws Error EADDRINUSE and the like; of node:fs and node:tls for files that cannot be used */
  async open(): Promise<void> {
    const { mqtt, tls } = this.config;
    this.#plain = await this.#listen(createServer({ noDelay: true, ...keepAlive }), 'connection', mqtt.port);
    if (mqtt.tlsPort === null) return;
    if (tls === null) throw new Error('MQTT over TLS needs a certificate');
    this.#tls = await this.#listen(createTlsServer(tlsOptions(tls)), 'secureConnection', mqtt.tlsPort);
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

  /** Accepts nothing more; connections go on. */
  stopAccepting(): void {
    for (const server of [this.#plain, this.#tls]) server?.close();
    this.#webSockets.stopAccepting();
  }

  /** Ends what is still open. */
  destroyAll(): void {
    for (const stream of this.#open) stream.destroy();
  }

  #listen(server: Server, event: 'connection' | 'secureConnection', port: number): Promise<Server> {
    server.maxConnections = MAX_CONNECTIONS;
    server.on(event, (socket: Socket) => {
      this.#track(socket);
      this.broker.accept(socket);
    });
    server.on('tlsClientError', (error: Error) => this.logger.debug({ reason: error.message }, 'TLS handshake failed'));
    server.on('drop', () => this.logger.warn({ reason: 'too-many-connections' }, 'connection refused'));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: this.config.mqtt.host, backlog: BACKLOG }, () => {
        server.removeListener('error', reject);
        // Such as EMFILE: the node goes on with the connections it has.
        server.on('error', (error) => this.logger.error({ err: error }, 'an MQTT listener failed'));
        resolve(server);
      });
    });
  }

  #track(stream: Duplex): void {
    this.#open.add(stream);
    stream.once('close', () => this.#open.delete(stream));
  }
}

const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };

function tlsOptions(files: TlsFiles): TlsOptions {
  const required = files.ca !== null;
  return {
    cert: readFileSync(files.cert),
    key: readFileSync(files.key),
    ...(files.ca !== null && { ca: readFileSync(files.ca) }),
    requestCert: required,
    rejectUnauthorized: required,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ALPN,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    noDelay: true,
    ...keepAlive,
  };
}
