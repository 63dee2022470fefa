import { Inject, Injectable } from '@nestjs/common';
import { ANONYMOUS } from '../../access/principal.js';
import { ShardClaims } from '../../cluster/shard-claims.js';
import { CLUSTER_KEYS, type ClusterKeys } from '../../store/cluster-keys.js';
import { Instances } from '../../cluster/instances.js';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import { CONFIG, type BrokerConfig, type Config } from '../../config/config.js';
import { SinkCursors } from '../../sinks/sink-cursors.js';
import { ExternalBrokerSink } from './external-broker.sink.js';
import { SinkRunner } from '../../sinks/sink-runner.js';
import { bucketOf } from '../../store/bucket.js';
import { SHADOW_FEED, type ShadowFeed } from '../../store/shadow-feed.js';
import type { ShadowRecord } from '../../store/shadow-store.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { Lane, type LaneRequest } from './lane.js';
import { ExternalPublisher } from './publisher.js';
import { PreviousDocuments } from '../previous-documents.js';
import type { Acknowledgement } from '../request-queue.js';

type Health = { readonly ok: boolean; readonly reason: string };
export type ExternalHandler = (lane: number, request: LaneRequest) => Promise<Acknowledgement>;

/** Into how many parts what is published is divided among the nodes; each is 16 of the 256 buckets. */
const PARTS = 16;
const CONSUME = 'consume/';
const PUBLISH = 'publish/';
/** Milliseconds between attempts to agree with etcd on how to begin. */
const BEGIN_RETRY_MS = 1_000;
/** Milliseconds of the drain that are kept for giving the lease back and closing connections. */
const CLOSE_MS = 1_000;

/** Milliseconds of the drain for publishing what the last requests have committed. */
const TELL_MS = 1_000;

const partOf = ({ key }: ShadowRecord): string => PUBLISH + (bucketOf(key.tenant, key.thing) % PARTS).toString(16);

/**
 * What this node does at the external broker: the lanes that it consumes and the parts of the feed that it publishes, as
 * far as it holds their claims. Cut off from the broker it holds none, so that another node can do the work.
 */
@Injectable()
export class ExternalCoordinator {
  readonly publisher: ExternalPublisher;
  readonly #config: BrokerConfig;
  readonly #lanes = new Map<number, Lane>();
  readonly #abort = new AbortController();
  readonly #keys: ClusterKeys;
  readonly #instances: Instances;
  readonly #claims: ShardClaims;
  readonly #cursors: SinkCursors;
  readonly #runner: SinkRunner;
  #handle: ExternalHandler = () => Promise.resolve('unanswered');
  #begun = false;
  #trouble: string | null = 'starting';
  #lastConnected = -Infinity;
  #drainMs = 0;
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
    const { clientId, documents, maxInFlight, takeoverSeconds } = config.externalBroker;
    this.#keys = keys.under(`broker/${clientId}/`);
    this.#instances = new Instances(this.#keys, {
      nodeId: config.nodeId,
      leaseSeconds: takeoverSeconds,
      eligible: () => this.#isAble(),
      onView: (view) => void this.#claims.see(view),
      onLost: () => this.#claims.lost(),
      clock,
      logger,
    });
    this.publisher = new ExternalPublisher(config.externalBroker, `${clientId}-out-${this.#instances.id}`, logger, () =>
      this.#instances.hurry(),
    );
    this.#cursors = new SinkCursors(this.#keys, 'mqtt', (shard) => this.#claims.guard(shard));
    const sink = new ExternalBrokerSink(this.publisher, previous, documents, logger, this.#abort.signal);
    this.#runner = new SinkRunner({
      feed,
      cursors: this.#cursors,
      sink,
      shardOf: partOf,
      tenants: [ANONYMOUS.tenant],
      maxInFlight,
      logger,
    });
    this.#claims = new ShardClaims(this.#keys, this.#instances, this.#shards(), this, logger);
  }

  get health(): Health {
    const parts = [this.publisher.health, ...[...this.#lanes.values()].map((lane) => lane.health)];
    if (this.#trouble !== null) parts.push({ ok: false, reason: this.#trouble });
    parts.push(this.#instances.health, this.#runner.health);
    parts.push({ ok: this.#claims.isSettled, reason: 'has not claimed its part yet' });
    const bad = parts.find(({ ok }) => !ok);
    const held = [...this.#claims.held];
    const lanes = held.filter((shard) => shard.startsWith(CONSUME)).length;
    return bad ?? { ok: true, reason: `consumes ${lanes} lanes, publishes ${held.length - lanes} of ${PARTS} parts` };
  }

  start(handle: ExternalHandler): void {
    this.#handle = handle;
    this.publisher.start();
    void this.#begin();
  }

  /** What was committed is told before this node leaves, if it is this node's to tell. */
  committed(revision: number): void {
    this.#committed = Math.max(this.#committed, revision);
  }

  async stop(withinMs: number): Promise<void> {
    this.#drainMs = Math.max(0, withinMs - CLOSE_MS);
    const left = new Promise((resolve) => setTimeout(resolve, withinMs).unref());
    const given = this.#claims.close().then(() => this.#instances.stop());
    await Promise.race([given, left]);
    this.#abort.abort();
    for (const lane of this.#lanes.values()) lane.cut();
    await this.publisher.stop(CLOSE_MS);
  }

  /** For ShardClaims. */
  async take(shards: readonly string[]): Promise<void> {
    const parts = shards.filter((shard) => shard.startsWith(PUBLISH));
    if (parts.length > 0) await this.#runner.take(parts);
    for (const number of lanesOf(shards)) {
      const fence = this.#claims.fence(`${CONSUME}${number}`);
      // Lost while the work began: there is nothing to begin any more.
      if (fence === null) continue;
      const claim = { fence, holds: () => this.#instances.lease !== null };
      const handle = (request: LaneRequest): Promise<Acknowledgement> => this.#handle(number, request);
      const lane = new Lane(this.#config, `${this.#config.clientId}-lane-${number}`, claim, handle, this.logger);
      this.#lanes.set(number, lane);
      lane.start();
    }
  }

  /** For ShardClaims. */
  async release(shards: readonly string[]): Promise<void> {
    const given = lanesOf(shards);
    await Promise.all(given.map((number) => this.#lanes.get(number)?.drain(this.#drainMs || CLOSE_MS)));
    for (const number of given) this.#lanes.delete(number);
    const parts = shards.filter((shard) => shard.startsWith(PUBLISH));
    if (parts.length === 0) return;
    if (this.#drainMs > 0) await this.#runner.reached(this.#committed, Math.min(TELL_MS, this.#drainMs));
    await this.#runner.release(parts);
  }

  /** For ShardClaims. */
  lose(shards: readonly string[]): void {
    for (const number of lanesOf(shards)) {
      this.#lanes.get(number)?.cut();
      this.#lanes.delete(number);
    }
    this.#runner.lose(shards.filter((shard) => shard.startsWith(PUBLISH)));
    this.logger.warn({ shards }, 'the claims of this node at the external broker have ended');
  }

  #isAble(): boolean {
    if (!this.#begun || this.publisher.problems.some(({ fatal }) => fatal)) return false;
    const now = performance.now();
    if (this.publisher.isConnected) this.#lastConnected = now;
    // A broker that restarts is back soon; giving everything up and taking it again would take longer.
    return now - this.#lastConnected < this.#config.takeoverSeconds * 1000;
  }

  #shards(): string[] {
    const lanes = Array.from({ length: this.#config.lanes }, (_, number) => `${CONSUME}${number}`);
    const parts = Array.from({ length: PARTS }, (_, number) => PUBLISH + number.toString(16));
    return [...parts, ...lanes];
  }

  /** Before the first request is taken: every part has a cursor, so every commit from then on is published. */
  async #begin(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        const head = await this.feed.head(this.#abort.signal);
        const parts = this.#shards().filter((shard) => shard.startsWith(PUBLISH));
        await this.#cursors.begin(parts, head);
        this.#trouble = await this.#disagreement();
        if (this.#trouble === null) {
          this.#begun = true;
          return this.#instances.start();
        }
        this.logger.error({ reason: this.#trouble }, 'not consuming from the external broker');
      } catch (error) {
        this.#trouble = `etcd does not answer: ${error instanceof Error ? error.message : String(error)}`;
      }
      await new Promise((resolve) => setTimeout(resolve, BEGIN_RETRY_MS).unref());
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

function lanesOf(shards: readonly string[]): number[] {
  return shards.filter((shard) => shard.startsWith(CONSUME)).map((shard) => Number(shard.slice(CONSUME.length)));
}
