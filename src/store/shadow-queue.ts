import { ServiceError } from '../errors/service-error.js';
import type { DeadlineSweep, Expirable } from '../resilience/deadline-sweep.js';
import { Fifo } from '../resilience/fifo.js';
import type { Histogram } from '../telemetry/recorder.js';

/** Waiting changes of all shadows together; bounds memory when very many shadows are busy at once. */
const MAX_WAITING = 20_000;
/** Changes that begin within one another: a whole line of changes that end as they begin would use up the stack. */
const MAX_NESTED = 32;

/** A change that takes its turn. It must call `leave` of the queue when it has ended, however that was. */
export interface QueuedChange {
  /** Milliseconds of the monotonic clock; when it passes before the turn, the change never begins. */
  readonly deadline: number;
  /** Its turn has come. Must not throw. */
  begin(): void;
  /** It ends without its turn: `leave` is not to be called. Must not throw. */
  failed(error: unknown): void;
}

/** A change that waits for its turn. */
class Waiting implements Expirable {
  settled = false;
  /** Milliseconds of the monotonic clock. */
  readonly since = performance.now();

  constructor(
    readonly change: QueuedChange,
    private readonly onSettled: (waited: number) => void,
  ) {}

  get deadline(): number {
    return this.change.deadline;
  }

  begin(): void {
    this.#settle();
    this.change.begin();
  }

  expire(): void {
    this.reject(new ServiceError('storageUnavailable'));
  }

  reject(error: ServiceError): void {
    this.#settle();
    this.change.failed(error);
  }

  #settle(): void {
    this.settled = true;
    this.onSettled(performance.now() - this.since);
  }
}

/**
 * Runs the changes of one shadow one after the other, in the order of their calls. Changes of different shadows do not
 * wait for each other. A shadow without work takes no memory.
 */
export class ShadowQueue {
  /** Shadows with a running change, and the changes that wait for it; null: none has waited yet. */
  readonly #lines = new Map<string, Fifo<Waiting> | null>();
  #waiting = 0;
  #nested = 0;
  #closed = false;
  readonly #onSettled = (waited: number): void => {
    this.#waiting--;
    this.waits?.observe(0, waited);
  };

  constructor(
    private readonly maxPerShadow: number,
    private readonly sweep: DeadlineSweep,
    /** How long those wait that do. */
    private readonly waits?: Histogram,
  ) {}

  /** Shadows with work. */
  get size(): number {
    return this.#lines.size;
  }

  /** Changes that wait for their turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Lets `change` begin when its turn comes. It fails with ServiceError tooManyRequests when the line is full,
   * storageUnavailable when its turn did not come in time, and draining after close(). No errors.
   */
  enter(shadow: string, change: QueuedChange): void {
    if (this.#closed) return change.failed(new ServiceError('draining'));
    let line = this.#lines.get(shadow);
    if (line === undefined) {
      this.#lines.set(shadow, null);
      return change.begin();
    }
    if (line !== null && line.size >= this.maxPerShadow) {
      return change.failed(
        new ServiceError('tooManyRequests', `${this.maxPerShadow} changes of this shadow wait already`),
      );
    }
    if (this.#waiting >= MAX_WAITING) {
      return change.failed(new ServiceError('tooManyRequests', `${MAX_WAITING} changes wait on this node already`));
    }
    if (line === null) this.#lines.set(shadow, (line = new Fifo()));
    const waiting = new Waiting(change, this.#onSettled);
    this.#waiting++;
    line.push(waiting);
    this.sweep.add(waiting);
  }

  /** Ends the turn of the change of `shadow` that began last; the next one begins. No errors. */
  leave(shadow: string): void {
    const line = this.#lines.get(shadow);
    if (line === undefined) return;
    for (let next = line?.take(); next; next = line?.take()) if (!next.settled) return this.#begin(next);
    this.#lines.delete(shadow);
  }

  #begin(next: Waiting): void {
    if (this.#nested >= MAX_NESTED) return queueMicrotask(() => this.#begin(next));
    this.#nested++;
    try {
      next.begin();
    } finally {
      this.#nested--;
    }
  }

  /**
   * Runs `task` when its turn comes.
   * @param deadline milliseconds of the monotonic clock; when it passes before the turn, the task is never started
   * @throws ServiceError as `enter` fails a change; else what `task` throws
   */
  run<T>(shadow: string, deadline: number, task: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, failed) => {
      const begin = (): void => void this.#work(shadow, task).then(resolve, failed);
      this.enter(shadow, { deadline, begin, failed });
    });
  }

  async #work<T>(shadow: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } finally {
      this.leave(shadow);
    }
  }

  /** Fails all waiting changes with `draining`; running ones continue. */
  close(): void {
    this.#closed = true;
    for (const line of this.#lines.values()) {
      for (const waiting of line ?? []) if (!waiting.settled) waiting.reject(new ServiceError('draining'));
    }
  }
}
