import type { ShardWorker } from '../../cluster/shard-claims.js';
import type { BrokerConfig } from '../../config/config.js';
import type { Fence } from '../../store/shadow-store.js';
import type { Health } from '../../telemetry/health.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Acknowledgement } from '../request-queue.js';
import { Lane, type LaneRequest } from './lane.js';

export type ExternalHandler = (lane: number, request: LaneRequest) => Promise<Acknowledgement>;

/** What the lanes need to know about the claims of this node. */
export interface LaneClaims {
  /** null: this node does not hold the shard. */
  fence(shard: string): Fence | null;
  /** Whether the lease of all claims lasts, by the monotonic clock. */
  holds(): boolean;
}

const PREFIX = 'consume/';

/** The lanes that this node consumes; each is a shard. */
export class LaneWorker implements ShardWorker {
  readonly shards: readonly string[];
  /** Answers requests; set before the first claim. */
  handle: ExternalHandler = () => Promise.resolve('unanswered');
  /** Milliseconds in which a lane that is released finishes what it has taken. */
  drainMs: number;
  readonly #lanes = new Map<string, Lane>();

  constructor(
    private readonly config: BrokerConfig,
    drainMs: number,
    private readonly claims: LaneClaims,
    private readonly logger: Logger,
  ) {
    this.drainMs = drainMs;
    this.shards = Array.from({ length: config.lanes }, (_, number) => `${PREFIX}${number}`);
  }

  get health(): readonly Health[] {
    return [...this.#lanes.values()].map((lane) => lane.health);
  }

  take(shards: readonly string[]): Promise<void> {
    for (const shard of shards) {
      const fence = this.claims.fence(shard);
      // Lost before the work began.
      if (fence === null) continue;
      const number = Number(shard.slice(PREFIX.length));
      const claim = { fence, holds: () => this.claims.holds() };
      const handle = (request: LaneRequest): Promise<Acknowledgement> => this.handle(number, request);
      const lane = new Lane(this.config, `${this.config.clientId}-lane-${number}`, claim, handle, this.logger);
      this.#lanes.set(shard, lane);
      lane.start();
    }
    return Promise.resolve();
  }

  async release(shards: readonly string[]): Promise<void> {
    await Promise.all(shards.map((shard) => this.#lanes.get(shard)?.drain(this.drainMs)));
    for (const shard of shards) this.#lanes.delete(shard);
  }

  lose(shards: readonly string[]): void {
    for (const shard of shards) {
      this.#lanes.get(shard)?.cut();
      this.#lanes.delete(shard);
    }
  }

  /** Ends every connection at once; the broker keeps what is not acknowledged. */
  cut(): void {
    for (const lane of this.#lanes.values()) lane.cut();
  }
}
