import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import type { BrokerConfig } from '../../config/config.js';

/** Milliseconds between attempts to reach the broker. */
export const RECONNECT_MS = 500;
/**
 * Seconds between signs of life. While the lane waits for room none are heard; one that waits longer connects anew and
 * loses nothing by it.
 */
const KEEPALIVE_SECONDS = 30;
const CONNECT_TIMEOUT_MS = 5_000;
/** Largest packet that is taken, in bytes: more than any request that is not refused for its size. */
const MAX_PACKET_BYTES = 1024 * 1024;

export interface ExternalClientOptions {
  readonly clientId: string;
  /** Seconds for which the broker keeps the session without a connection; 0: a new session each time. */
  readonly sessionSeconds: number;
  /** QoS 1 messages that the broker may have sent without an acknowledgement. */
  readonly receiveMaximum: number;
}

/** A client of the configured broker that has not connected yet: its hooks can be set before anything arrives. */
export function createExternalClient(config: BrokerConfig, options: ExternalClientOptions): MqttClient {
  const client = connect(config.url, {
    protocolVersion: 5,
    clientId: options.clientId,
    clean: options.sessionSeconds === 0,
    properties: {
      sessionExpiryInterval: options.sessionSeconds,
      receiveMaximum: options.receiveMaximum,
      maximumPacketSize: MAX_PACKET_BYTES,
    },
    manualConnect: true,
    // Subscriptions belong to the session; the lane looks after them itself.
    resubscribe: false,
    keepalive: KEEPALIVE_SECONDS,
    reconnectPeriod: RECONNECT_MS,
    reconnectOnConnackError: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(config.user === null ? {} : { username: config.user }),
    ...(config.password === null ? {} : { password: config.password }),
    ...tlsOf(config),
  });
  // Nagle's algorithm and delayed acknowledgements together cost 40 ms a message.
  client.on('connect', () => (client.stream as Partial<Socket>).setNoDelay?.(true));
  return client;
}

function tlsOf({ tls }: BrokerConfig): IClientOptions {
  return {
    ...(tls.ca === null ? {} : { ca: readFileSync(tls.ca) }),
    ...(tls.cert === null ? {} : { cert: readFileSync(tls.cert) }),
    ...(tls.key === null ? {} : { key: readFileSync(tls.key) }),
  };
}

/**
 * Ends a client in order if the broker plays along within `withinMs` milliseconds, else by force. mqtt.js alone waits without
 * end for the acknowledgement of every outgoing message, and for the end of a stream that a full lane does not read.
 */
export async function endClient(client: MqttClient, withinMs: number): Promise<void> {
  const ended = client.endAsync(!client.connected).catch(() => undefined);
  // A client that was not connected yet forgets that it was ended before its stream has closed, and connects again. Only
  // now: with a period of 0 from the beginning end() would call back for every message that is left.
  client.options.reconnectPeriod = 0;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, withinMs).unref()));
  await Promise.race([ended, late]);
  clearTimeout(timer);
  (client.stream as Partial<MqttClient['stream']> | undefined)?.destroy?.();
}

interface PacketSender {
  _sendPacket(packet: { cmd: 'puback'; messageId: number; reasonCode: number }, done: () => void): void;
}

/**
 * Acknowledges a message whose acknowledgement was withheld. mqtt.js has no public way to do that later without holding
 * up the whole connection (ADR 0010), so its version is fixed, and test/integration/external-lane.spec.ts notices when
 * it changes.
 */
export function sendPuback(client: MqttClient, messageId: number): void {
  (client as unknown as PacketSender)._sendPacket({ cmd: 'puback', messageId, reasonCode: 0 }, () => undefined);
}

/** Handed to mqtt.js as the error of a message: it sends no PUBACK then and goes on. */
export const WITHHELD = new Error('the PUBACK follows later');
