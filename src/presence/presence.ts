import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Instances } from '../cluster/instances.js';
import { CONFIG, type Config } from '../config/config.js';
import { ServiceError } from '../errors/service-error.js';
import { MqttBroker } from '../mqtt/built-in/broker.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { CLUSTER_KEYS, type ClusterKeys } from '../store/cluster-keys.js';
import { CountedLine } from '../telemetry/counted-line.js';
import type { Health } from '../telemetry/health.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { METRICS, Metrics } from '../telemetry/metrics.js';
import { KnownPresence } from './known-presence.js';
import { LocalSessions } from './local-sessions.js';
import { LostNodes } from './lost-nodes.js';
import { OldClients } from './old-clients.js';
import { publishEvent } from './presence-events.js';
import { PRESENCE_PATH, recordKey, RECORDS, type ClientName } from '../store/presence-record.js';
import { viewOf } from '../store/presence-view.js';
import { PresenceWriter } from './presence-writer.js';
import type { PresenceOf } from './presence.openapi.js';
import { RecordLeases } from './record-leases.js';
import { sessionFence } from './session-fence.js';

/** Milliseconds since this node was last known to have been told everything, after which it says nothing any more. */
const STALE_MS = 15_000;
/** Milliseconds of the shutdown for writing that its clients have left. What is not written then, others mark. */
const FLUSH_MS = 2_000;
const LOOK_MS = 10;

/** Which MQTT clients are connected, to whatever node. */
@Injectable()
export class Presence implements OnModuleInit, OnApplicationShutdown {
  readonly known = new KnownPresence(RECORDS);
  readonly #keys: ClusterKeys;
  readonly #instances: Instances;
  readonly #sessions: LocalSessions;
  readonly #writer: PresenceWriter;
  readonly #lost: LostNodes;
  readonly #old: OldClients;
  readonly #full: CountedLine;
  readonly #abort = new AbortController();
  #closing: Promise<void> | null = null;

  constructor(
    @Inject(CONFIG) { nodeId, presence: { leaseSeconds, days, maxClients, fence } }: Config,
    @Inject(CLOCK) clock: Clock,
    @Inject(LOGGER) logger: Logger,
    @Inject(CLUSTER_KEYS) clusterKeys: ClusterKeys,
    @Inject(MqttBroker) broker: MqttBroker,
    @Inject(METRICS) { presence: metrics, cluster }: Metrics = new Metrics(),
  ) {
    const { known } = this;
    const keys = clusterKeys.under(PRESENCE_PATH);
    this.#keys = keys;
    this.#instances = new Instances(keys, {
      ...{ nodeId, leaseSeconds, clock, logger },
      eligible: () => true,
      onView: (view) => {
        cluster.saw('presence', view.live.length);
        this.#lost.see(view);
        this.#old.see(view);
        // It may have joined just now.
        this.#writer.wake();
      },
      onLost: () => undefined,
    });
    this.#full = new CountedLine((count) => logger.warn({ count, maxClients }, 'clients are not recorded: too many'));
    this.#sessions = new LocalSessions({
      ...{ instance: this.#instances.id, known, maxClients, clock },
      heardNow: () => broker.deadlines.now,
      onDirty: () => this.#writer.wake(),
      onFull: () => this.#full.add(),
    });
    const shared = { keys, self: this.#instances, known, leases: new RecordLeases(keys, days, clock), logger };
    this.#writer = new PresenceWriter({ ...shared, sessions: this.#sessions });
    this.#lost = new LostNodes({ ...shared, clock });
    this.#old = new OldClients({ ...shared, maxClients, clock });
    known.followedBy(this.#sessions);
    metrics.clients.read = () => known.size;
    metrics.unwritten.read = () => this.#sessions.dirty;
    known.onEvent((event) => publishEvent(broker, event));
    broker.onConnected = (connection) => this.#sessions.connected(connection);
    if (fence) broker.fenceOf = (connection) => sessionFence(connection, this.#sessions, keys);
    broker.onLeft = (connection, reason) => this.#sessions.left(connection, reason);
  }

  /** Never not ok: shadows are served without it, and what shows presence leaves it out. */
  get health(): Health {
    return { ok: true, reason: this.#trouble() ?? `${this.known.size} clients known` };
  }

  onModuleInit(): void {
    this.known.watch = this.#keys.watch(RECORDS, this.known, this.#abort.signal);
    this.#instances.start();
  }

  /** After the doors are closed. */
  onApplicationShutdown(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /**
   * What is known of a client; null: it has not been connected for as long as clients are remembered.
   * @throws ServiceError storageUnavailable when this node does not know
   */
  of(client: ClientName): PresenceOf | null {
    const found = this.peek(client);
    if (found === undefined) throw new ServiceError('storageUnavailable');
    return found;
  }

  /** As `of`; undefined when this node does not know. No errors. */
  peek(client: ClientName): PresenceOf | null | undefined {
    return this.isCurrent ? this.shown(recordKey(client)) : undefined;
  }

  /** Whether this node knows all records, and has been told everything for some seconds. */
  get isCurrent(): boolean {
    const staleMs = this.known.watch?.staleMs ?? null;
    return this.known.isReady && staleMs !== null && staleMs <= STALE_MS;
  }

  /** What is known under a key, however old. No errors. */
  shown(key: string): PresenceOf | null {
    const stored = this.known.get(key);
    if (!stored?.record) return null;
    const { record, revision } = stored;
    return viewOf(record, revision, this.#sessions.lastSeen(key, record.session));
  }

  #trouble(): string | null {
    if (!this.known.isReady) return this.known.watch?.reason ?? 'not started';
    const { ok, reason } = this.#instances.health;
    if (!ok) return reason;
    return this.#writer.trouble ?? null;
  }

  async #close(): Promise<void> {
    const until = performance.now() + FLUSH_MS;
    while (this.#sessions.dirty > 0 && this.#instances.lease !== null && performance.now() < until) {
      this.#writer.wake();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    await Promise.all([this.#writer.stop(), this.#lost.stop(), this.#old.stop()]);
    this.#abort.abort();
    this.known.stop();
    this.#sessions.stop();
    this.#full.stop();
    await this.#instances.stop();
  }
}
