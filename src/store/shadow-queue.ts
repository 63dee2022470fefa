import { ServiceError } from '../errors/service-error.js';
import type { DeadlineSweep, Expirable } from '../resilience/deadline-sweep.js';
import { Fifo } from '../resilience/fifo.js';

/** Waiting changes of all shadows together; bounds memory when very many shadows are busy at once. */
const MAX_WAITING = 20_000;

interface Waiting extends Expirable {
  start(): void;
  /** Ends it without running it. */
  reject(error: ServiceError): void;
  settled: boolean;
}

/**
 * Runs the changes of one shadow one after the other, in the order of their calls. Changes of different shadows do not
 * wait for each other. A shadow without work takes no memory.
 */
export class ShadowQueue {
  /** Shadows with a running change, and the changes that wait for it. */
  readonly #lines = new Map<string, Fifo<Waiting>>();
  #waiting = 0;
  #closed = false;

  constructor(
    private readonly maxPerShadow: number,
    private readonly sweep: DeadlineSweep,
  ) {}

  /** Shadows with work. */
  get size(): number {
    return this.#lines.size;
  }

  /**
   * Runs `task` when its turn comes.
   * @param deadline milliseconds of the monotonic clock; when it passes before the turn, the task is never started
   * @throws ServiceError tooManyRequests when the line is full; storageUnavailable when the turn did not come in time;
   * draining after close(); else what `task` throws
   */
  run<T>(shadow: string, deadline: number, task: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new ServiceError('draining'));
    const line = this.#lines.get(shadow);
    if (!line) {
      this.#lines.set(shadow, new Fifo());
      return this.#work(shadow, task);
    }
    if (line.size >= this.maxPerShadow) {
      return Promise.reject(
        new ServiceError('tooManyRequests', `${this.maxPerShadow} changes of this shadow wait already`),
      );
    }
    if (this.#waiting >= MAX_WAITING) {
      return Promise.reject(new ServiceError('tooManyRequests', `${MAX_WAITING} changes wait on this node already`));
    }
    return new Promise<T>((resolve, reject) => {
      const waiting: Waiting = {
        deadline,
        settled: false,
        start: () => {
          waiting.settled = true;
          this.#waiting--;
          this.#work(shadow, task).then(resolve, reject);
        },
        expire: () => waiting.reject(new ServiceError('storageUnavailable')),
        reject: (error) => {
          waiting.settled = true;
          this.#waiting--;
          reject(error);
        },
      };
      this.#waiting++;
      line.push(waiting);
      this.sweep.add(waiting);
    });
  }

  /** Rejects all waiting changes with `draining`; running ones continue. */
  close(): void {
    this.#closed = true;
    for (const line of this.#lines.values()) {
      for (const waiting of line) if (!waiting.settled) waiting.reject(new ServiceError('draining'));
    }
  }

  async #work<T>(shadow: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } finally {
      this.#next(shadow);
    }
  }

  #next(shadow: string): void {
    const line = this.#lines.get(shadow);
    if (!line) return;
    for (let next = line.take(); next; next = line.take()) if (!next.settled) return next.start();
    this.#lines.delete(shadow);
  }
}
