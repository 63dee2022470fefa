import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { startEtcd, type EtcdSecurity, type EtcdServer } from '../harness/etcd.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { startMosquitto, type MosquittoBroker } from '../harness/mosquitto.js';
import { freePort } from '../harness/ports.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { fakeClock } from './faults/fake-clock.js';
import { GRPC_HOSTS } from './actors/grpc-stream.js';
import type { History } from './model/history.js';
import { Namespaces, namespacesRefused } from './faults/namespaces.js';

export interface TopologySpec {
  readonly members: 1 | 3;
  readonly nodes: number;
  /** Where the devices connect. Behind mosquitto Umbra is at least once: docs/external-broker.md. */
  readonly broker: 'built-in' | 'mosquitto';
  /** Each node reaches each member through a proxy of its own, so that bytes can be swallowed, delayed and lost. */
  readonly proxied: boolean;
  /** etcd asks for a password, over TLS, and gives tokens of this kind. One member. */
  readonly users?: EtcdSecurity['tokens'];
  /** Heartbeat and election: 100/1000 ms or 30/300 ms. */
  readonly timers: 'default' | 'fast';
  readonly env?: Readonly<Record<string, string>>;
  readonly quotaBytes?: number;
  /** etcd's data on a file system of this size. */
  readonly diskBytes?: number;
  /** The wall clock of the nodes can be moved. */
  readonly movableClock?: boolean;
  /** A build that was broken on purpose. */
  readonly main?: string;
}

interface Ports {
  readonly http: number;
  readonly mqtt: number;
  readonly grpc: number;
}

interface NodeParts {
  readonly ports: Ports;
  readonly env: Readonly<Record<string, string>>;
  readonly dataDir: string;
  readonly main: string | undefined;
  readonly proxies: readonly TcpProxy[];
}

/** One Umbra node, which keeps its ports over restarts. */
export class LabNode {
  #process: ReadyNode | null = null;
  /** The end of the process is part of the plan. */
  expectedDown = false;
  /** Where its wall clock is set, in seconds from the true one. */
  readonly clockFile: string;
  /** Between it and each member; none where the topology has no proxies. */
  readonly proxies: readonly TcpProxy[];
  readonly #ports: Ports;
  readonly #env: Readonly<Record<string, string>>;
  readonly #dataDir: string;
  /** The build that the next start takes; undefined: dist. */
  main: string | undefined;

  constructor(
    readonly index: number,
    private readonly history: History,
    parts: NodeParts,
  ) {
    this.proxies = parts.proxies;
    this.#ports = parts.ports;
    this.#env = parts.env;
    this.#dataDir = parts.dataDir;
    this.main = parts.main;
    this.clockFile = join(parts.dataDir, 'clock');
    writeFileSync(this.clockFile, '+0\n');
    GRPC_HOSTS.set(this.httpUrl, `127.0.0.1:${this.#ports.grpc}`);
  }

  get mqttPort(): number {
    return this.#ports.mqtt;
  }

  get httpPort(): number {
    return this.#ports.http;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.#ports.http}`;
  }

  get pid(): number | null {
    return this.#process?.running ? this.#process.pid : null;
  }

  logs(): string {
    return this.#process?.logs() ?? '';
  }

  async start(until: 'ready' | 'listening' = 'ready'): Promise<void> {
    const { http, mqtt, grpc } = this.#ports;
    const ports = { UMBRA_HTTP_PORT: String(http), UMBRA_MQTT_PORT: String(mqtt), UMBRA_GRPC_PORT: String(grpc) };
    const env = { UMBRA_LOG_LEVEL: 'warn', ...this.#env, ...ports, UMBRA_NODE_ID: `lab-${this.index}` };
    // `ready` is told at the level info.
    const level = this.#env['UMBRA_LOG_LEVEL'] ?? 'info';
    const options = { env: { ...env, UMBRA_LOG_LEVEL: level }, dataDir: this.#dataDir, until };
    const started = await startNode({ ...options, ...(this.main === undefined ? {} : { main: this.main }) });
    this.#process = started;
    this.expectedDown = false;
    void started.exited.then(({ code, signal }) => {
      if (this.expectedDown) return;
      const text = `node ${this.index} ended with ${signal ?? code}: ${started.logs().slice(-600)}`;
      this.history.remarks.push({ promise: 'node stays up', text });
    });
  }

  async kill9(): Promise<void> {
    this.expectedDown = true;
    await this.#process?.kill9();
  }

  /** SIGTERM, as an orchestrator does. A node that does not end well is a remark. */
  async terminate(): Promise<void> {
    this.expectedDown = true;
    const exit = await this.#process?.stop();
    if (exit && exit.code !== 0) {
      const text = `node ${this.index} ended with ${exit.signal ?? exit.code} after SIGTERM`;
      this.history.remarks.push({ promise: 'SIGTERM ends in order', text });
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  /** Resident bytes, or null while there is no process. */
  memory(): { pid: number; bytes: number } | null {
    const { pid } = this;
    if (pid === null) return null;
    try {
      const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return kilobytes === undefined ? null : { pid, bytes: Number(kilobytes) * 1024 };
    } catch {
      return null;
    }
  }
}

/** Where MQTT clients connect. */
export interface Door {
  readonly node: number;
  readonly port: number;
}

/** Seconds after which another node takes over what a lost one did at mosquitto. */
const TAKEOVER_SECONDS = 3;

/** Whether there is a mosquitto to run. */
export function hasMosquitto(): boolean {
  return spawnSync('mosquitto', ['-h']).error === undefined;
}

/** etcd members, what is between, and Umbra nodes. */
export class Topology {
  members: EtcdServer[] = [];
  readonly nodes: LabNode[] = [];
  broker: MosquittoBroker | null = null;
  #authority: Authority | null = null;
  readonly #folders: string[] = [];
  #mounted: string | null = null;

  private constructor(
    readonly spec: TopologySpec,
    readonly spaces: Namespaces | null,
    private readonly history: History,
  ) {}

  /** @throws Error when the machine does not permit it, or something does not start */
  static async start(spec: TopologySpec, history: History): Promise<Topology> {
    const spaces = spec.members === 3 && namespacesRefused() === null ? Namespaces.create(3) : null;
    const topology = new Topology(spec, spaces, history);
    try {
      if (spec.broker === 'mosquitto') topology.broker = await startMosquitto();
      await topology.#startMembers();
      await topology.#startNodes();
      return topology;
    } catch (error) {
      await topology.stop();
      throw error;
    }
  }

  readonly takeoverSeconds = TAKEOVER_SECONDS;

  /** Those of all nodes. */
  get proxies(): TcpProxy[] {
    return this.nodes.flatMap((node) => [...node.proxies]);
  }

  node(index: number): LabNode {
    const node = this.nodes[index % this.nodes.length];
    if (!node) throw new Error('no node');
    return node;
  }

  /** One for each node, or the only one of mosquitto. */
  get doors(): Door[] {
    if (this.broker) return [{ node: 0, port: Number(new URL(this.broker.url).port) }];
    return this.nodes.map(({ index, mqttPort }) => ({ node: index, port: mqttPort }));
  }

  /** Index of the leading member. @throws Error when none says so within 10 s */
  async leader(): Promise<number> {
    const deadline = Date.now() + 10_000;
    while (Date.now() < deadline) {
      for (const [index, member] of this.members.entries()) {
        const status = await member.client.maintenance.status().catch(() => null);
        if (status && status.leader !== '0' && status.leader === status.header.member_id) return index;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('no leader');
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) {
      node.expectedDown = true;
      await node.kill9().catch(() => undefined);
    }
    await this.broker?.kill9();
    await this.broker?.stop();
    for (const proxy of this.proxies) await proxy.stop().catch(() => undefined);
    await Promise.all(this.members.map((member) => member.kill9().then(() => member.stop())));
    await this.#authority?.remove();
    this.spaces?.stop();
    if (this.#mounted !== null) spawnSync('umount', ['-l', this.#mounted]);
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }

  async #startMembers(): Promise<void> {
    const { members: count, timers, quotaBytes, users } = this.spec;
    if (users !== undefined) this.#authority = await createAuthority();
    const security = users && this.#authority ? { security: { authority: this.#authority, tokens: users } } : {};
    const peers = await Promise.all(Array.from({ length: count }, freePort));
    const host = (i: number): string => this.spaces?.address(i) ?? '127.0.0.1';
    const peerUrl = (i: number): string => `http://${host(i)}:${peers[i]}`;
    const cluster = peers.map((_, i) => `m${i}=${peerUrl(i)}`).join(',');
    const pace = timers === 'fast' ? ['--heartbeat-interval', '30', '--election-timeout', '300'] : [];
    const dataDir = await this.#disk();
    this.members = await Promise.all(
      peers.map((_, i) =>
        startEtcd({
          ...security,
          ...(this.spaces ? { host: host(i), through: this.spaces.prefix(i) } : {}),
          ...(quotaBytes === undefined ? {} : { quotaBytes }),
          ...(dataDir === null ? {} : { dataDir }),
          args: ['--name', `m${i}`, '--initial-cluster', cluster, '--listen-peer-urls', peerUrl(i)].concat(
            ['--initial-advertise-peer-urls', peerUrl(i), '--pre-vote'],
            pace,
          ),
        }),
      ),
    );
  }

  /** One before each member, for one node. */
  async #startProxies(): Promise<TcpProxy[]> {
    if (!this.spec.proxied) return [];
    return Promise.all(this.members.map(({ port }, i) => TcpProxy.start(port, this.spaces?.address(i) ?? '127.0.0.1')));
  }

  async #startNodes(): Promise<void> {
    for (let index = 0; index < this.spec.nodes; index++) {
      const dataDir = await mkdtemp(join(tmpdir(), 'umbra-lab-node-'));
      this.#folders.push(dataDir);
      const clock = this.spec.movableClock ? fakeClock(join(dataDir, 'clock')) : {};
      const proxies = await this.#startProxies();
      const endpoints = this.members.map((member, i) => proxies[i]?.endpoint ?? member.endpoint);
      const etcd = this.#etcdVariables(endpoints);
      const broker = this.broker
        ? { UMBRA_BROKER_URL: this.broker.url, UMBRA_BROKER_TAKEOVER_SECONDS: String(TAKEOVER_SECONDS) }
        : {};
      const env = { ...etcd, ...clock, ...broker, ...this.spec.env };
      const ports = { http: await freePort(), mqtt: await freePort(), grpc: await freePort() };
      const { main } = this.spec;
      this.nodes.push(new LabNode(index, this.history, { ports, env, dataDir, main, proxies }));
    }
    await Promise.all(this.nodes.map((node) => node.start()));
  }

  #etcdVariables(endpoints: readonly string[]): Record<string, string> {
    if (!this.#authority) return { UMBRA_ETCD_ENDPOINTS: endpoints.join(',') };
    return {
      UMBRA_ETCD_ENDPOINTS: endpoints.map((endpoint) => endpoint.replace('http:', 'https:')).join(','),
      UMBRA_ETCD_CA: this.#authority.ca,
      UMBRA_ETCD_USER: 'root',
      UMBRA_ETCD_PASSWORD: 'root',
    };
  }

  async #disk(): Promise<string | null> {
    const { diskBytes } = this.spec;
    if (diskBytes === undefined) return null;
    const folder = await mkdtemp(join(tmpdir(), 'umbra-lab-disk-'));
    this.#folders.push(folder);
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', folder]);
    if (status !== 0) throw new Error(`mounting is not permitted: ${String(stderr)}`);
    this.#mounted = folder;
    return join(folder, 'etcd');
  }
}
