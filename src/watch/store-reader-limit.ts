/** Lets only so many tasks at a time ask the store; the others wait in order. Its waiting room is its callers'. */
export class StoreReaderLimit {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(max: number) {
    this.#free = max;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves with how to end the turn, or with null when `signal` came first. It never rejects. */
  take(signal: AbortSignal): Promise<(() => void) | null> {
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

  /** Ends once, however often it is called; the next in line gets the same place. */
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
