import { randomBytes } from 'node:crypto';
import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { Health } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';

/** One claim on a shard. */
export interface Claim {
  /** The instance that has put it. */
  readonly holder: string;
  /** The lease that it ends with. */
  readonly lease: string | null;
  readonly revision: number;
}

/** The live instances and the claims, as etcd reported them at one time. */
export interface ClusterView {
  /** When the question was sent, by performance.now(): the view shows nothing that was done since. */
  readonly askedAt: number;
  readonly live: readonly string[];
  /** What each live instance says of itself. */
  readonly said: ReadonlyMap<string, string>;
  /** By shard. */
  readonly claims: ReadonlyMap<string, Claim>;
}

export interface InstancesOptions {
  readonly nodeId: string;
  /** Seconds of silence after which an instance loses its shards. */
  readonly leaseSeconds: number;
  /** Whether this instance can do the work: one that cannot must leave it to the others. */
  readonly eligible: () => boolean;
  /** What the others see of this instance, asked at each look; its id unless given. */
  readonly says?: () => string;
  readonly onView: (view: ClusterView) => void;
  /** The lease has ended, or may have: other instances may own the shards of this one by now. */
  readonly onLost: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export const INSTANCES = 'instances/';
export const CLAIMS = 'claims/';
/** Milliseconds between two looks at the cluster; each is one keep-alive and two small ranges. */
const LOOK_MS = 1_000;
const MAYBE_ENDED = 'its lease may have ended';

/**
 * This node in the list of those that share work, under a lease in etcd; one for the node, not one for each shard. The
 * node considers its lease ended by its own monotonic clock, counted from before the last keep-alive that was answered,
 * and so never later than etcd does.
 *
 * One case is left: CLOCK_MONOTONIC stands still while a virtual machine is suspended. A node that wakes up may believe
 * in its lease for up to leaseSeconds more, while another instance holds its shards. Its writes to shadows and cursors
 * fail all the same: each compares the revision of the claim in its own transaction (store/shadow-store.ts, Fence).
 */
export class Instances {
  /** Another life of the same node is another instance. */
  readonly id: string;
  #lease: string | null = null;
  /** What was put under this lease. */
  #said: string | null = null;
  /** Milliseconds of the monotonic clock. */
  #validUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;
  #trouble: string | null = 'not joined yet';

  constructor(
    private readonly keys: ClusterKeys,
    private readonly options: InstancesOptions,
  ) {
    this.id = `${options.nodeId}.${randomBytes(4).toString('hex')}`;
  }

  /**
   * The lease, or null while this instance may own nothing. It compares clocks at every call: the timer of a process
   * that was stopped fires late, and work that waited would begin before it. A lease that was reported as ended once
   * does not come back.
   */
  get lease(): string | null {
    if (this.#lease !== null && this.options.clock.monotonic() >= this.#validUntil) this.#lose(MAYBE_ENDED);
    return this.#lease;
  }

  get health(): Health {
    const ok = this.lease !== null;
    return { ok, reason: ok ? 'joined' : (this.#trouble ?? 'not joined') };
  }

  start(): void {
    this.hurry();
  }

  /** Looks at once instead of in a second. Looks run one after the other: two at once would each ask for a lease. */
  hurry(): void {
    clearTimeout(this.#timer);
    this.#looking = this.#looking.then(() => this.#look());
  }

  /** Gives the lease back, so that the other instances need not wait for its end. Release the shards first. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#leave();
  }

  async #look(): Promise<void> {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    try {
      if (!this.options.eligible()) await this.#leave('this node cannot do its part');
      else {
        await this.#stay();
        this.options.onView(await readView(this.keys));
        this.#trouble = null;
      }
    } catch (error) {
      this.#trouble = `etcd does not answer: ${reasonOf(error)}`;
      this.options.logger.warn({ reason: this.#trouble }, 'the list of instances could not be kept up');
    }
    const period = Math.min(LOOK_MS, this.options.leaseSeconds * 250);
    if (!this.#stopped) this.#timer = setTimeout(() => this.start(), period * (0.9 + 0.2 * Math.random())).unref();
  }

  async #stay(): Promise<void> {
    const { clock, leaseSeconds, logger } = this.options;
    let before = clock.monotonic();
    const present = this.lease;
    if (present !== null && !(await this.keys.keepAlive(present))) {
      logger.warn({ instance: this.id }, 'the lease of this node has ended');
      this.#lose('its lease has ended');
    }
    if (this.lease === null) {
      before = clock.monotonic();
      const lease = await this.keys.grant(leaseSeconds);
      await this.#say(lease);
      this.#lease = lease;
    }
    this.#validUntil = before + leaseSeconds * 1000;
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => this.#lose(MAYBE_ENDED), this.#validUntil - clock.monotonic()).unref();
    const lease = this.lease;
    if (lease !== null && this.#said !== this.#words) await this.#say(lease);
  }

  get #words(): string {
    return this.options.says?.() ?? this.id;
  }

  async #say(lease: string): Promise<void> {
    const value = this.#words;
    const put = await this.keys.commit({ guards: [], puts: [{ key: INSTANCES + this.id, value, lease }] });
    if (put === null) throw new Error('the lease ended at once');
    this.#said = value;
  }

  async #leave(reason = 'left'): Promise<void> {
    const lease = this.#lease;
    if (lease === null) {
      this.#trouble = reason;
      return;
    }
    this.#lose(reason);
    await this.keys.revoke(lease).catch((error: unknown) => {
      this.options.logger.warn({ err: error }, 'the lease could not be given back; it ends by itself');
    });
  }

  #lose(reason: string): void {
    clearTimeout(this.#expiry);
    if (this.#lease === null) return;
    this.#lease = null;
    this.#validUntil = 0;
    this.#trouble = reason;
    this.options.onLost();
  }
}

/** @throws ServiceError storageUnavailable, draining */
export async function readView(keys: ClusterKeys): Promise<ClusterView> {
  const askedAt = performance.now();
  const [instances, claims] = await Promise.all([keys.list(INSTANCES), keys.list(CLAIMS)]);
  return {
    askedAt,
    live: [...instances.keys()].map((key) => key.slice(INSTANCES.length)),
    said: new Map([...instances].map(([key, { value }]) => [key.slice(INSTANCES.length), value])),
    claims: new Map(
      [...claims].map(([key, { value: holder, lease, revision }]) => [
        key.slice(CLAIMS.length),
        { holder, lease, revision },
      ]),
    ),
  };
}
