import { setTimeout as pause } from 'node:timers/promises';
import type { OpenSink } from '../../src/sinks/sink-kind.js';
import type { Position } from '../../src/store/position.js';
import { FeedGap, type ShadowFeed } from '../../src/store/shadow-feed.js';

/** Milliseconds before the feed is asked again. */
const AGAIN_MS = 100;
/** Batches that are on their way to the sink. */
const WINDOW = 256;

/** Brings every change of a tenant to a sink, and goes on where it was when it was stopped, as the service does. */
export class Adapter {
  #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  /** All up to it is confirmed. */
  #cursor: Position | null = null;
  #isLoaded = false;

  constructor(
    private readonly feed: ShadowFeed,
    private readonly sink: OpenSink,
    private readonly tenant: string,
  ) {}

  /** Whether the sink has had everything that there was once. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  start(): void {
    this.#stop = new AbortController();
    this.#done = this.#follow(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const from = this.#cursor ?? (await this.#load(signal));
        this.#isLoaded = true;
        await this.#bring(from, signal);
      } catch (error) {
        if (error instanceof FeedGap) this.#cursor = null;
        await pause(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #load(signal: AbortSignal): Promise<Position> {
    const { position, records } = await this.feed.base({ tenant: this.tenant }, signal);
    const sent: Promise<void>[] = [];
    for await (const record of records) sent.push(this.sink.deliver(record, signal));
    await unlessAborted(Promise.all(sent), signal);
    return (this.#cursor = position);
  }

  async #bring(from: Position, signal: AbortSignal): Promise<void> {
    const sent: Promise<void>[] = [];
    for await (const { position, records } of this.feed.after(from, signal)) {
      const own = records.filter(({ key }) => key.tenant === this.tenant);
      const delivered = Promise.all(own.map((record) => this.sink.deliver(record, signal)));
      // The sink confirms in order.
      sent.push(delivered.then(() => void (this.#cursor = position)));
      if (sent.length >= WINDOW) await unlessAborted(sent.shift() as Promise<void>, signal);
    }
  }
}

/** What the sink has given up with its reader is never confirmed. */
function unlessAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => resolve();
    signal.addEventListener('abort', end, { once: true });
    work.then(end, reject).finally(() => signal.removeEventListener('abort', end));
  });
}
