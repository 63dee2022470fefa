import { LRUCache } from 'lru-cache';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { Retention } from './answer-leases.js';

/** Milliseconds until the answers of a tenant are counted again: other nodes keep some, and some end. */
const COUNTED_MS = 30_000;
/** Tenants whose count is remembered. */
const MAX_TENANTS = 10_000;

/** What a tenant may have of one kind of answers. */
export interface AnswerBounds {
  /** Prefix of all answers of the tenant. */
  readonly folderOf: (tenant: string) => string;
  /** What is answered, for the texts of refusals. */
  readonly what: string;
  readonly retention: Retention;
  /** No more are kept once so many are in the folder. */
  readonly maxKept: number;
  /** Bytes of the answers that one node keeps for a tenant in the time of the retention. */
  readonly maxBytes: number;
}

interface Volume {
  bytes: number;
  /** Milliseconds of the monotonic clock. */
  readonly since: number;
}

interface Count {
  /** Those that were there, and those of this node since. */
  kept: number;
  /** Milliseconds of the monotonic clock. */
  readonly countedAt: number;
}

/**
 * Bounds the answers that are kept for a tenant. Each node counts for itself, and again from time to time: n nodes may
 * together keep as many more as come within that time. etcd counts keys alone, so each node bounds the bytes of its own.
 */
export class AnswerCounts {
  readonly #counts = new LRUCache<string, Count>({ max: MAX_TENANTS });
  readonly #volumes = new LRUCache<string, Volume>({ max: MAX_TENANTS });
  readonly #counting = new Map<string, Promise<Count>>();

  constructor(
    private readonly keys: Pick<ClusterKeys, 'count'>,
    private readonly clock: Clock,
    private readonly bounds: AnswerBounds,
  ) {}

  /** Whether there is room for one more answer. @throws ServiceError tooManyRequests, storageUnavailable, draining */
  async check(tenant: string): Promise<void> {
    const { what, maxKept, maxBytes, retention } = this.bounds;
    let count = this.#counts.get(tenant);
    if (count === undefined || this.clock.monotonic() - count.countedAt >= COUNTED_MS)
      count = await (this.#counting.get(tenant) ?? this.#count(tenant));
    if (count.kept >= maxKept) {
      const kept = `${maxKept} answers to ${what} with an Idempotency-Key are kept, each for ${retention.text}`;
      throw new ServiceError('tooManyRequests', kept);
    }
    if ((this.#volumeOf(tenant)?.bytes ?? 0) >= maxBytes) {
      const kept = `${maxBytes} bytes of answers to ${what} with an Idempotency-Key were kept in ${retention.text}`;
      throw new ServiceError('tooManyRequests', kept);
    }
  }

  /** One more answer is kept. No errors. */
  add(tenant: string, bytes: number): void {
    const count = this.#counts.get(tenant);
    if (count) count.kept++;
    const volume = this.#volumeOf(tenant);
    if (volume) volume.bytes += bytes;
    else this.#volumes.set(tenant, { bytes, since: this.clock.monotonic() });
  }

  /** Of the time that began with its first answer; undefined: that is over. */
  #volumeOf(tenant: string): Volume | undefined {
    const volume = this.#volumes.get(tenant);
    const ms = this.bounds.retention.seconds * 1000;
    return volume && this.clock.monotonic() - volume.since < ms ? volume : undefined;
  }

  #count(tenant: string): Promise<Count> {
    const counting = this.#read(tenant).finally(() => this.#counting.delete(tenant));
    this.#counting.set(tenant, counting);
    return counting;
  }

  async #read(tenant: string): Promise<Count> {
    const countedAt = this.clock.monotonic();
    const count = { kept: await this.keys.count(this.bounds.folderOf(tenant)), countedAt };
    this.#counts.set(tenant, count);
    return count;
  }
}
