import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { ANONYMOUS } from '../../access/principal.js';
import { Instances } from '../../cluster/instances.js';
import { ShardClaims, type ShardWorker } from '../../cluster/shard-claims.js';
import { CONFIG, type BrokerConfig, type Config } from '../../config/config.js';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import { SinkHost } from '../../sinks/sink-host.js';
import { CLUSTER_KEYS, type ClusterKeys } from '../../store/cluster-keys.js';
import { SHADOW_FEED, type ShadowFeed } from '../../store/shadow-feed.js';
import type { Health } from '../../telemetry/health.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { METRICS, Metrics } from '../../telemetry/metrics.js';
import { reasonOf } from '../../telemetry/reason.js';
import { TRACER, Tracer } from '../../telemetry/tracer.js';
import { PreviousDocuments } from '../previous-documents.js';
import { ExternalBrokerSink } from './external-broker.sink.js';
import { LaneWorker, type ExternalHandler } from './lane-worker.js';
import { ExternalPublisher } from './publisher.js';

/** Milliseconds between attempts to agree with etcd on how to begin. */
const BEGIN_RETRY_MS = 1_000;
/** Milliseconds of the drain that are kept for giving the lease back and closing connections. */
const CLOSE_MS = 1_000;
/** Milliseconds of the drain for publishing what the last requests have committed. */
const TELL_MS = 1_000;

/**
 * What this node does at the external broker: the lanes that it consumes and the shards of the feed that it publishes, as
 * far as it holds their claims. Cut off from the broker it holds none, so that another node can do the work.
 */
@Injectable()
export class ExternalCoordinator implements ShardWorker {
  @Inject(METRICS) readonly metrics: Metrics = new Metrics();
  @Inject(TRACER) readonly tracer: Tracer = new Tracer();
  readonly publisher: ExternalPublisher;
  readonly #config: BrokerConfig;
  readonly #keys: ClusterKeys;
  readonly #instances: Instances;
  readonly #claims: ShardClaims;
  readonly #lanes: LaneWorker;
  readonly #sink: SinkHost;
  readonly #abort = new AbortController();
  #begun = false;
  #trouble: string | null = 'starting';
  #lastConnected = -Infinity;
  #draining = false;
  /** The highest revision that a request of this node has committed. */
  #committed = 0;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(CLUSTER_KEYS) keys: ClusterKeys | null,
    @Inject(SHADOW_FEED) private readonly feed: ShadowFeed,
    @Inject(PreviousDocuments) previous: PreviousDocuments,
    @Inject(CLOCK) clock: Clock,
  ) {
    if (config.externalBroker === null || keys === null)
      throw new Error('an external broker needs etcd and UMBRA_BROKER_URL');
    this.#config = config.externalBroker;
    const { clientId, documents, maxInFlight, takeoverSeconds } = this.#config;
    this.#keys = keys.under(`broker/${clientId}/`);
    this.#instances = new Instances(this.#keys, {
      nodeId: config.nodeId,
      leaseSeconds: takeoverSeconds,
      eligible: () => this.#isAble(),
      onView: (view) => {
        this.metrics.cluster.saw('broker', view.live.length);
        void this.#claims.see(view);
      },
      onLost: () => this.#claims.lost(),
      clock,
      logger,
    });
    this.publisher = new ExternalPublisher(this.#config, `${clientId}-out-${this.#instances.id}`, logger, () =>
      this.#instances.hurry(),
    );
    const claims = {
      fence: (shard: string) => this.#claims.fence(shard),
      holds: () => this.#instances.lease !== null,
    };
    this.#lanes = new LaneWorker(this.#config, CLOSE_MS, claims, logger);
    this.#sink = new SinkHost({
      name: 'mqtt',
      prefix: 'publish/',
      keys: this.#keys,
      feed,
      sink: new ExternalBrokerSink(
        ...([this.publisher, previous, documents, logger, this.#abort.signal] as const),
        () => this.tracer,
      ),
      guard: (shard) => this.#claims.guard(shard),
      tenants: [ANONYMOUS.tenant],
      maxInFlight,
      logger,
    });
    const shards = [...this.#sink.shards, ...this.#lanes.shards];
    this.#claims = new ShardClaims(this.#keys, this.#instances, shards, this, logger);
  }

  get health(): Health {
    const checks = [this.publisher.health, ...this.#lanes.health];
    if (this.#trouble !== null) checks.push({ ok: false, reason: this.#trouble });
    checks.push(this.#instances.health, this.#sink.health);
    checks.push({ ok: this.#claims.isSettled, reason: 'has not claimed its shards yet' });
    const failed = checks.find(({ ok }) => !ok);
    const { held } = this.#claims;
    const lanes = lanesOf(this.#lanes, held).length;
    const published = `publishes ${held.length - lanes} of ${this.#sink.shards.length} shards`;
    return failed ?? { ok: true, reason: `consumes ${lanes} lanes, ${published}` };
  }

  start(handle: ExternalHandler): void {
    this.#lanes.handle = handle;
    this.#tellStanding();
    this.publisher.start();
    void this.#begin();
  }

  /** Lets a drain wait until this node's own commits are published, as far as this node publishes them. */
  committed(revision: number): void {
    this.#committed = Math.max(this.#committed, revision);
  }

  /** Gives everything to the other nodes, in order as far as `withinMs` milliseconds allow. */
  async stop(withinMs: number): Promise<void> {
    this.#draining = true;
    this.#lanes.drainMs = Math.max(0, withinMs - CLOSE_MS) || CLOSE_MS;
    const left = new Promise((resolve) => setTimeout(resolve, withinMs).unref());
    const given = this.#claims.close().then(() => this.#instances.stop());
    await Promise.race([given, left]);
    this.#abort.abort();
    this.#lanes.cut();
    await this.publisher.stop(CLOSE_MS);
  }

  async take(shards: readonly string[]): Promise<void> {
    const lanes = lanesOf(this.#lanes, shards);
    const others = shards.filter((shard) => !lanes.includes(shard));
    // First: it may fail, and then nothing has begun.
    if (others.length > 0) await this.#sink.take(others);
    await this.#lanes.take(lanes);
    this.metrics.broker.takeovers.add(0, shards.length);
  }

  async release(shards: readonly string[]): Promise<void> {
    const lanes = lanesOf(this.#lanes, shards);
    const others = shards.filter((shard) => !lanes.includes(shard));
    await this.#lanes.release(lanes);
    if (others.length === 0) return;
    if (this.#draining) await this.#sink.reached(this.#committed, Math.min(TELL_MS, this.#lanes.drainMs));
    await this.#sink.release(others);
  }

  lose(shards: readonly string[]): void {
    const lanes = lanesOf(this.#lanes, shards);
    this.#lanes.lose(lanes);
    this.#sink.lose(shards.filter((shard) => !lanes.includes(shard)));
    this.logger.warn({ shards }, 'the claims of this node at the external broker have ended');
  }

  #tellStanding(): void {
    const { connected, lanes, shards, inFlight, revisionsBehind } = this.metrics.broker;
    const owned = (): number => lanesOf(this.#lanes, this.#claims.held).length;
    connected.read = () => Number(this.publisher.isConnected);
    lanes.read = owned;
    shards.read = () => this.#claims.held.length - owned();
    inFlight.read = () => this.#sink.lag.inFlight;
    revisionsBehind.read = () => this.#sink.lag.revisions;
  }

  #isAble(): boolean {
    if (!this.#begun || this.publisher.problems.some(({ fatal }) => fatal)) return false;
    const now = performance.now();
    if (this.publisher.isConnected) this.#lastConnected = now;
    // A broker that restarts is back soon; giving everything up and taking it again would take longer.
    return now - this.#lastConnected < this.#config.takeoverSeconds * 1000;
  }

  /** Before the first request is taken: every shard has a cursor, so every commit from then on is published. */
  async #begin(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#sink.begin(await this.feed.head(signal));
        this.#trouble = await this.#disagreement();
        if (this.#trouble === null) {
          this.#begun = true;
          return this.#instances.start();
        }
        this.logger.error({ reason: this.#trouble }, 'not consuming from the external broker');
      } catch (error) {
        this.#trouble = `etcd does not answer: ${reasonOf(error)}`;
      }
      await pause(BEGIN_RETRY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Nodes that divide requests differently would carry out some twice and others never. */
  async #disagreement(): Promise<string | null> {
    const { lanes, shared } = this.#config;
    const value = JSON.stringify({ lanes, shared });
    await this.#keys.commit({ guards: [{ key: 'division', value: null }], puts: [{ key: 'division', value }] });
    const agreed = (await this.#keys.list('division')).get('division')?.value;
    if (agreed === value) return null;
    return `UMBRA_BROKER_LANES and UMBRA_BROKER_SHARED are ${value} here and ${agreed} in etcd; see external-broker.md`;
  }
}

const lanesOf = ({ shards: own }: LaneWorker, shards: readonly string[]): string[] =>
  shards.filter((shard) => own.includes(shard));
