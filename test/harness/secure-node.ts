import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectMqtt, connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { AccessControl } from '../../src/access-control.js';
import { startNode } from '../../src/app.js';
import { loadConfig } from '../../src/config/load-config.js';
import type { ClusterKeys } from '../../src/store/cluster-keys.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { SILENT_LOGGER, type Logger } from '../../src/telemetry/logger.js';
import { Metrics } from '../../src/telemetry/metrics.js';
import { SettableClock } from './clock.js';
import { freePort } from './ports.js';

/** A whole node with authentication, over storage in memory. */
export interface SecureNode {
  readonly url: string;
  readonly mqttUrl: string;
  readonly mqttPort: number;
  /** Null without ports for TLS in `environment`. */
  readonly httpsUrl: string | null;
  readonly mqttsUrl: string | null;
  /** Null without a port for gRPC in `environment`. */
  readonly grpcUrl: string | null;
  readonly grpcsUrl: string | null;
  /** Null without a port for it in `environment`. */
  readonly metricsUrl: string | null;
  readonly clock: SettableClock;
  readonly access: AccessControl;
  /** The key of the first administrator. */
  readonly admin: string;
  /** @param key null: none is sent */
  ask(
    method: string,
    path: string,
    key: string | null,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Asked>;
  /** Makes a principal with a key of its own. Returns the key. */
  make(id: string, members: object, tenant?: string): Promise<string>;
  connect(clientId: string, key: string, options?: IClientOptions): Promise<MqttClient>;
  /** As connect, for a client that hears what its session has kept: the topics come into `heard`. */
  resume(
    clientId: string,
    key: string,
    options: IClientOptions,
  ): { readonly client: MqttClient; readonly heard: string[] };
  stop(): Promise<void>;
}

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look at any member
}

export interface SecureNodeOptions {
  readonly logger?: Logger;
  /** Of another node of the same cluster. */
  readonly keys?: ClusterKeys;
  /** Of another node of the same cluster, which closes it. */
  readonly store?: MemoryShadowStore;
  readonly environment?: Readonly<Record<string, string>>;
}

export async function startSecureNode(options: SecureNodeOptions = {}): Promise<SecureNode> {
  const dataDir = mkdtempSync(join(tmpdir(), 'umbra-secure-'));
  const [http, mqtt] = [await freePort(), await freePort()];
  const config = loadConfig({
    UMBRA_AUTH: 'on',
    // Its clock stands, so nothing that is used up comes back.
    UMBRA_LIMIT_THING: '0',
    UMBRA_LIMIT_FAILURES: '0',
    UMBRA_DATA_DIR: dataDir,
    UMBRA_HTTP_PORT: String(http),
    UMBRA_MQTT_PORT: String(mqtt),
    ...options.environment,
  });
  const clock = new SettableClock();
  const logger = options.logger ?? SILENT_LOGGER;
  const keys = options.keys ?? new MemoryClusterKeys();
  const own = { clock, ...(keys instanceof MemoryClusterKeys ? { clusterKeys: keys } : {}) };
  const store = options.store ?? new MemoryShadowStore(own);
  const storage = {
    store,
    feed: new MemoryShadowFeed(store),
    clusterKeys: keys,
    health: () => ({ ok: true, reason: 'in memory' }),
    close: () => store.close(),
  };
  const metrics = new Metrics();
  const access = new AccessControl({ config, keys, clock, logger, metrics });
  const admin = (await access.start())?.key ?? '';
  const node = await startNode({ config, logger, clock, storage, access, metrics });
  const clients: MqttClient[] = [];
  const url = node.addresses.http;
  const ask: SecureNode['ask'] = async (method, path, key, body, headers = {}) => {
    const answer = await fetch(url + path, {
      method,
      headers: { ...(key !== null && { authorization: `Bearer ${key}` }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === '' ? null : (JSON.parse(text) as unknown) };
  };
  const optionsOf = (clientId: string, key: string, more: IClientOptions): IClientOptions => ({
    clientId,
    username: 'any',
    password: key,
    reconnectPeriod: 0,
    protocolVersion: 5,
    ...more,
  });
  const tended = (client: MqttClient): MqttClient => {
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  return {
    url,
    mqttUrl: node.addresses.mqtt,
    mqttPort: mqtt,
    httpsUrl: node.addresses.https,
    mqttsUrl: node.addresses.mqtts,
    grpcUrl: node.addresses.grpc,
    grpcsUrl: node.addresses.grpcs,
    metricsUrl: node.addresses.metrics,
    clock,
    access,
    admin,
    ask,
    async make(id, members, tenant) {
      const base = tenant === undefined ? '/v1' : `/v1/tenants/${tenant}`;
      const made = await ask('PUT', `${base}/principals/${id}`, admin, members);
      if (made.status !== 201) throw new Error(JSON.stringify(made.body));
      const key = await ask('POST', `${base}/principals/${id}/keys`, admin, {});
      return (key.body as { key: string }).key;
    },
    async connect(clientId, key, more = {}) {
      return tended(await connectAsync(node.addresses.mqtt, optionsOf(clientId, key, more)));
    },
    resume(clientId, key, more) {
      const client = tended(connectMqtt(node.addresses.mqtt, optionsOf(clientId, key, more)));
      const heard: string[] = [];
      client.on('message', (topic) => void heard.push(topic));
      return { client, heard };
    },
    async stop() {
      for (const client of clients) client.end(true);
      await node.drain();
      access.close();
      if (options.store === undefined) await store.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}
