import { randomBytes } from 'node:crypto';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterKeys } from '../store/cluster-keys.js';

/** Who lives, and who holds which shard, as etcd said at one time. */
export interface ClusterView {
  /** When it was asked for, by performance.now(): it shows nothing that was done since. */
  readonly askedAt: number;
  readonly live: readonly string[];
  /** Shard to the instance that has claimed it. */
  readonly claims: ReadonlyMap<string, string>;
}

export interface InstancesOptions {
  readonly nodeId: string;
  /** Seconds after which an instance that says nothing has no say any more. */
  readonly leaseSeconds: number;
  /** Whether this instance can do the work: one that cannot must not keep it from the others. */
  readonly eligible: () => boolean;
  readonly onView: (view: ClusterView) => void;
  /** The lease has ended, or may have: others may own by now what this one did. */
  readonly onLost: () => void;
  readonly logger: Logger;
}

export const INSTANCES = 'instances/';
export const CLAIMS = 'claims/';
/** Milliseconds between two looks at the others; each is one keep-alive and one small range. */
const LOOK_MS = 1_000;

/**
 * This node in the list of those that share work, under a lease in etcd; one for the node, not one for each shard. It
 * considers its lease ended by its own clock, counted from before the last keep-alive that was answered: never later
 * than etcd does.
 */
export class Instances {
  /** Another life of the same node is another instance. */
  readonly id: string;
  #lease: string | null = null;
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

  /** null while this instance has no say. */
  get lease(): string | null {
    return performance.now() < this.#validUntil ? this.#lease : null;
  }

  get health(): { readonly ok: boolean; readonly reason: string } {
    const ok = this.lease !== null;
    return { ok, reason: ok ? 'joined' : (this.#trouble ?? 'not joined') };
  }

  start(): void {
    this.hurry();
  }

  /** Looks at once instead of in a second. One look after the other: two at once would each ask for a lease. */
  hurry(): void {
    clearTimeout(this.#timer);
    this.#looking = this.#looking.then(() => this.#look());
  }

  /** Gives the lease back; the others need not wait for its end. ShardClaims must have been released before. */
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
        this.options.onView(await this.#view());
        this.#trouble = null;
      }
    } catch (error) {
      this.#trouble = `etcd does not answer: ${error instanceof Error ? error.message : String(error)}`;
      this.options.logger.warn({ reason: this.#trouble }, 'the list of instances could not be kept up');
    }
    const period = Math.min(LOOK_MS, this.options.leaseSeconds * 250);
    if (!this.#stopped) this.#timer = setTimeout(() => this.start(), period * (0.9 + 0.2 * Math.random())).unref();
  }

  async #stay(): Promise<void> {
    const { leaseSeconds, logger } = this.options;
    const before = performance.now();
    if (this.#lease !== null && !(await this.keys.keepAlive(this.#lease))) {
      logger.warn({ instance: this.id }, 'the lease of this node has ended');
      this.#lose('its lease has ended');
    }
    if (this.#lease === null) {
      const lease = await this.keys.grant(leaseSeconds);
      const key = INSTANCES + this.id;
      const joined = await this.keys.commit({ guards: [], puts: [{ key, value: this.id, lease }] });
      if (!joined) throw new Error('the lease ended at once');
      this.#lease = lease;
    }
    this.#validUntil = before + leaseSeconds * 1000;
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => this.#lose('its lease may have ended'), this.#validUntil - performance.now());
    this.#expiry.unref();
  }

  async #view(): Promise<ClusterView> {
    const askedAt = performance.now();
    const [instances, claims] = await Promise.all([this.keys.list(INSTANCES), this.keys.list(CLAIMS)]);
    return {
      askedAt,
      live: [...instances.keys()].map((key) => key.slice(INSTANCES.length)),
      claims: new Map([...claims].map(([key, holder]) => [key.slice(CLAIMS.length), holder])),
    };
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
