/** Bytes that all bodies under way on a node may take together. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Bytes that a request and its connection take beside their body, roughly: they count too. */
const REQUEST_BYTES = 16 * 1024;

/** A body that has begun and not ended. */
export interface OpenBody {
  /** Bytes of its buffer. */
  readonly capacity: number;
  /** Ends its request, because others need the room. */
  giveUp(): void;
}

/**
 * Bounds what clients make the node keep by sending half a body. When there is no more room, the body that began first
 * gives way: a body that comes at all comes quickly, so the oldest ones are those that wait for nothing.
 */
export class BodyBudget {
  readonly #held = new Map<OpenBody, number>();
  #bytes = 0;

  /** @param maxBytes bytes of all open bodies together */
  constructor(private readonly maxBytes = MAX_BYTES) {}

  /** Bytes of all open bodies now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts a body as large as it is now, and lets older ones give way to it. */
  hold(body: OpenBody): void {
    const bytes = body.capacity + REQUEST_BYTES;
    this.#bytes += bytes - (this.#held.get(body) ?? 0);
    // A body keeps the place that it has had since it began.
    this.#held.set(body, bytes);
    for (const [oldest] of this.#held) {
      if (this.#bytes <= this.maxBytes) return;
      this.release(oldest);
      oldest.giveUp();
    }
  }

  release(body: OpenBody): void {
    this.#bytes -= this.#held.get(body) ?? 0;
    this.#held.delete(body);
  }
}
