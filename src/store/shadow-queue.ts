import { ServiceError } from '../errors/service-error.js';
import type { DeadlineSweep, Expirable } from '../resilience/deadline-sweep.js';

/** Changes of all shadows together that may wait; it bounds memory when very many shadows are busy at once. */
const MAX_WAITING = 20_000;

/** StoreReaderLimit after which those that are done are cut off a line that never empties. */
const TRIM_AFTER = 64;

interface Waiting extends Expirable {
  start(): void;
  refuse(error: ServiceError): void;
  settled: boolean;
}

/** Waiting behind the running change of one shadow; taken from `head` on, so that a turn costs no shift. */
interface Line {
  waiting: Waiting[];
  head: number;
}

/**
 * Changes of one shadow run one after the other, in the order in which they came; those of different shadows do not
 * wait for each other. Nothing stays in memory for a shadow without work.
 */
export class ShadowQueue {
  readonly #lines = new Map<string, Line>();
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
   * Runs `task` when it is its turn.
   * @param deadline milliseconds of the monotonic clock; when it passes before the turn, the task is never started
   * @throws ServiceError tooManyRequests when the line is full; storageUnavailable when the turn did not come in time;
   * draining after close(); else what `task` throws
   */
  run<T>(shadow: string, deadline: number, task: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new ServiceError('draining'));
    const line = this.#lines.get(shadow);
    if (!line) {
      this.#lines.set(shadow, { waiting: [], head: 0 });
      return this.#work(shadow, task);
    }
    if (line.waiting.length - line.head >= this.maxPerShadow) {
      return Promise.reject(
        new ServiceError('tooManyRequests', `${this.maxPerShadow} changes of this shadow wait already`),
      );
    }
    if (this.#waiting >= MAX_WAITING) {
      return Promise.reject(new ServiceError('tooManyRequests', `${MAX_WAITING} changes wait on this node already`));
    }
    return new Promise<T>((resolve, reject) => {
      const refuse = (error: ServiceError): void => {
        waiting.settled = true;
        this.#waiting--;
        reject(error);
      };
      const waiting: Waiting = {
        deadline,
        settled: false,
        start: () => {
          waiting.settled = true;
          this.#waiting--;
          this.#work(shadow, task).then(resolve, reject);
        },
        expire: () => refuse(new ServiceError('storageUnavailable')),
        refuse,
      };
      this.#waiting++;
      line.waiting.push(waiting);
      this.sweep.add(waiting);
    });
  }

  /** Refuses all that wait, with `draining`; running tasks go on. */
  close(): void {
    this.#closed = true;
    for (const line of this.#lines.values()) {
      for (const waiting of line.waiting.slice(line.head)) {
        if (!waiting.settled) waiting.refuse(new ServiceError('draining'));
      }
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
    while (line.head < line.waiting.length) {
      const next = line.waiting[line.head++];
      if (line.head >= TRIM_AFTER) {
        line.waiting.splice(0, line.head);
        line.head = 0;
      }
      if (!next || next.settled) continue;
      return next.start();
    }
    this.#lines.delete(shadow);
  }
}
