/** Milliseconds that a holder of a turn may wait for its own reader: when no caller waits, and when one does. */
export const POLITE_MS = { alone: 1_000, inDemand: 100 };

/** Milliseconds after which the holder of a turn that can continue later ends it, if somebody waits. */
export const TURN_MS = 1_000;

/** Milliseconds of work on the present state after which others get a turn of the event loop. */
const SLICE_MS = 4;
/** Milliseconds of the longest rest. */
const MAX_REST_MS = 100;
/** How much longer than they work all readers together rest, while more of them wait. */
const REST_IN_DEMAND = 2;

/** A fair semaphore for reading from the store. The queue is bounded by the number of callers. */
export class StoreReaderLimit {
  #free: number;
  readonly #waiting = new Set<() => void>();

  /** @param max callers that may read at once */
  constructor(private readonly max: number) {
    this.#free = max;
  }

  /** Callers that wait for their turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Milliseconds between two rests of a reader: what it does at once is short, whatever the others do. */
  get sliceMs(): number {
    return SLICE_MS;
  }

  /**
   * Milliseconds that the holder of a turn rests after it has worked for `workedMs`. A lone reader does not rest. While
   * others wait, all that read take about a third of the time together: reading the present state for a thousand
   * streams must not take the store from those who write.
   */
  restMs(workedMs: number): number {
    const active = this.max - this.#free;
    const shares = this.waiting > 0 ? REST_IN_DEMAND * active : Math.max(0, active - 1);
    return Math.min(MAX_REST_MS, shares * workedMs);
  }

  /** Milliseconds that the holder of a turn may now wait for its own reader before it ends the turn. */
  get politeMs(): number {
    return this.waiting > 0 ? POLITE_MS.inDemand : POLITE_MS.alone;
  }

  /** Resolves with a function that ends the turn, or with null when `signal` came first. It never rejects. */
  acquire(signal: AbortSignal): Promise<(() => void) | null> {
    if (signal.aborted) return Promise.resolve(null);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve(this.#turn());
    }
    return new Promise((resolve) => {
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve(this.#turn());
      };
      const leave = (): void => {
        this.#waiting.delete(begin);
        resolve(null);
      };
      this.#waiting.add(begin);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Ends once, however often it is called; the next caller in line gets the place. */
  #turn(): () => void {
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const [next] = this.#waiting;
      if (!next) return void this.#free++;
      this.#waiting.delete(next);
      next();
    };
  }
}
