export interface WaitLimits {
  /** Ends the wait early. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the wait ends. */
  readonly limitMs?: number;
}

/**
 * Lets callers wait until something has changed. The owner calls notify() after each change; waiters then check their
 * condition again. A wait that has ended leaves no timer and no listener.
 */
export class Signal {
  readonly #waiting = new Set<() => void>();

  /** Callers that wait now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Wakes every waiter; each resumes in a later microtask. */
  notify(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next notify(), at the abort of `signal`, or after `limitMs`. It never rejects. */
  next({ signal, limitMs }: WaitLimits = {}): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        this.#waiting.delete(end);
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = limitMs === undefined ? undefined : setTimeout(end, limitMs);
      this.#waiting.add(end);
      signal?.addEventListener('abort', end, { once: true });
    });
  }

  /**
   * Resolves with true as soon as `isReached()` holds, with false at the abort of `signal` or after `limitMs`. The
   * timer decides that the limit has passed, not a clock, which may disagree by a moment. It never rejects.
   */
  async until(isReached: () => boolean, { signal, limitMs }: WaitLimits = {}): Promise<boolean> {
    if (isReached()) return true;
    let isLate = false;
    const expire = (): void => {
      isLate = true;
      this.notify();
    };
    const timer = limitMs === undefined ? undefined : setTimeout(expire, limitMs);
    try {
      while (!isReached()) {
        if (isLate || signal?.aborted) return false;
        await this.next(signal ? { signal } : {});
      }
      return true;
    } finally {
      clearTimeout(timer);
    }
  }
}
