import { pauseAfter, type BackOff } from '../back-off.js';
import type { Platform } from '../platform.js';
import { clientError } from '../umbra-error.js';
import { pause } from '../within.js';

export interface DeltaContext {
  /** Of the shadow, with which this delta came. */
  readonly version: number;
  /** From 1; more than that if the handler has failed before. */
  readonly attempt: number;
  /** Aborts when a newer delta has come, the time is over or the device is closed. */
  readonly signal: AbortSignal;
}

/** Drives the device to what is desired. What it returns is reported; nothing, if it returns nothing. */
export type DeltaHandler<D, R> = (delta: D, context: DeltaContext) => R | null | void | Promise<R | null | void>;

export interface RunParts<D, R> {
  readonly platform: Platform;
  readonly handler: DeltaHandler<D, R>;
  /** Resolves when it is stored. It bounds its own wait. */
  readonly report: (reported: R) => Promise<unknown>;
  readonly retry: BackOff;
  /** Milliseconds after which the signal of a handler aborts. */
  readonly handlerMs: number;
}

interface Delta<D> {
  version: number;
  readonly delta: D;
  /** To compare by. */
  readonly text: string;
}

/** Runs the handler of a shadow: one run at a time, for the newest delta, again until it succeeds. */
export class DeltaRuns<D, R> {
  readonly #parts: RunParts<D, R>;
  /** Highest version of which it is known whether there is a delta. */
  #newest = 0;
  #waiting: Delta<D> | null = null;
  #running: { readonly delta: Delta<D>; control: AbortController } | null = null;
  #isClosed = false;

  constructor(parts: RunParts<D, R>) {
    this.#parts = parts;
  }

  /** A delta of an update. An older one than the newest is dropped. No errors. */
  offer(version: number, delta: D): void {
    if (version <= this.#newest) return;
    this.present(version, delta);
  }

  /** An update to this version has left no delta. No errors. */
  gone(version: number): void {
    if (version > this.#newest) this.present(version, null);
  }

  /**
   * What the service has now, at which version ever: after a backup was restored it may be an older one. No errors.
   * @param delta null: there is none
   */
  present(version: number, delta: D | null): void {
    if (this.#isClosed) return;
    this.#newest = version;
    const next = delta === null ? null : { version, delta, text: JSON.stringify(delta) };
    this.#waiting = next;
    const running = this.#running;
    if (next === null) return;
    if (running?.delta.text === next.text) {
      // Another member was reported meanwhile. What the handler does is still what is desired.
      running.delta.version = version;
      this.#waiting = null;
    } else if (running) running.control.abort(clientError('aborted', 'a newer delta has come'));
    else void this.#run();
  }

  /** Ends the run that is under way, as far as it heeds its signal. No errors. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = null;
    this.#running?.control.abort(clientError('closed', 'the handler of deltas was removed'));
  }

  async #run(): Promise<void> {
    for (let delta = this.#waiting; delta !== null && !this.#isClosed; delta = this.#waiting) {
      this.#waiting = null;
      await this.#untilDone(delta);
      this.#running = null;
    }
  }

  async #untilDone(delta: Delta<D>): Promise<void> {
    const { platform, retry } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      const control = new AbortController();
      this.#running = { delta, control };
      try {
        await this.#once(delta, attempt, control);
        return;
      } catch (error) {
        // Then it is not the newest any more.
        if (this.#isClosed || this.#waiting || this.#newest !== delta.version) return;
        platform.logger.warn({ version: delta.version, attempt, error }, 'the handler of deltas has failed');
      }
      // The signal of the attempt may have aborted, as its time was over.
      this.#running.control = new AbortController();
      const { signal } = this.#running.control;
      const ms = pauseAfter(attempt, retry, platform.random());
      await pause(platform.clock, ms, signal, 'the next run').catch(() => undefined);
      if (signal.aborted || this.#newest !== delta.version) return;
    }
  }

  /** @throws what the handler throws */
  async #once({ version, delta }: Delta<D>, attempt: number, control: AbortController): Promise<void> {
    const { platform, handler, handlerMs, report } = this.#parts;
    const cancel = platform.clock.after(handlerMs, () => {
      platform.logger.warn({ version, handlerMs }, 'the handler of deltas takes long; its signal aborts');
      control.abort(clientError('timeout', `the handler took longer than ${handlerMs} ms`));
    });
    let reported: R | null | void;
    try {
      reported = await handler(delta, { version, attempt, signal: control.signal });
    } finally {
      cancel();
    }
    if (reported === undefined || reported === null) return;
    // The next run waits for it, or it would be told what was done just now. It has not failed if this cannot be stored.
    await report(reported).catch((error: unknown) =>
      platform.logger.warn({ version, error }, 'what the handler has done was not stored'),
    );
  }
}
