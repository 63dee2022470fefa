import type { Redis } from 'ioredis';

export interface WaitFor {
  /** That must have a write before it is acknowledged. */
  readonly replicas: number;
  /** Milliseconds after which it is in doubt. */
  readonly ms: number;
}

/**
 * WAIT holds its connection up, so one serves all writes that were answered before it was sent: as a group commit, the
 * more callers, the more writes share one.
 */
export class ReplicaWait {
  #next: Promise<number> | null = null;
  #running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly redis: Redis,
    private readonly wait: WaitFor,
  ) {}

  /** Resolves when enough replicas have what this connection has written so far. @throws Error when they do not in time */
  async replicated(): Promise<void> {
    const { replicas } = this.wait;
    const confirmed = await (this.#next ??= this.#ask());
    if (confirmed < replicas) throw new Error(`${confirmed} of ${replicas} replicas have confirmed`);
  }

  async #ask(): Promise<number> {
    await this.#running.catch(() => undefined);
    this.#next = null;
    const asked = this.redis.wait(this.wait.replicas, this.wait.ms);
    this.#running = asked;
    return asked;
  }
}
