import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';

/** Seconds after which the key of a node that was killed is gone. */
const LEASE_SECONDS = 10;
/** Milliseconds between two signs of life. */
const PERIOD_MS = LEASE_SECONDS * 250;
/** Milliseconds for taking the key back; it ends by itself with its lease. */
const STOP_MS = 1_000;
/** Milliseconds before what has failed is tried again. */
const RETRY_MS = 500;

/** One key that says something of this node for as long as the node lives. */
export class LeasedKey {
  #value: string | null = null;
  /** What was put under the lease. */
  #said: string | null = null;
  #lease: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #keeping: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    private readonly keys: ClusterKeys,
    private readonly key: string,
    private readonly logger: Logger,
  ) {}

  /** Has the key say this soon, and from then on. An etcd that is away delays it. No errors. */
  say(value: string): void {
    this.#value = value;
    this.#hurry();
  }

  /** Takes the key back. Takes a second at most. No errors. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const late = new AbortController();
    await Promise.race([this.#takeBack(), pause(STOP_MS, undefined, { signal: late.signal }).catch(() => undefined)]);
    late.abort();
  }

  async #takeBack(): Promise<void> {
    await this.#keeping;
    if (this.#lease !== null) await this.keys.revoke(this.#lease).catch(() => undefined);
  }

  #hurry(): void {
    clearTimeout(this.#timer);
    this.#keeping = this.#keeping.then(() => this.#keep());
  }

  async #keep(): Promise<void> {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    let next = PERIOD_MS;
    try {
      if (this.#lease !== null && this.#said === this.#value && !(await this.keys.keepAlive(this.#lease))) this.#lose();
      if (this.#said !== this.#value) await this.#put();
    } catch (error) {
      this.logger.debug({ key: this.keys.path + this.key, reason: reasonOf(error) }, 'a key could not be kept up');
      next = RETRY_MS;
    }
    if (!this.#stopped) this.#timer = setTimeout(() => this.#hurry(), next).unref();
  }

  async #put(): Promise<void> {
    const value = this.#value ?? '';
    this.#lease ??= await this.keys.grant(LEASE_SECONDS);
    const put = await this.keys.commit({ guards: [], puts: [{ key: this.key, value, lease: this.#lease }] });
    if (put !== null) {
      this.#said = value;
      return;
    }
    this.#lose();
    throw new Error('its lease has ended');
  }

  #lose(): void {
    this.#lease = null;
    this.#said = null;
  }
}
