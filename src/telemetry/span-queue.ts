import { CountedLine } from './counted-line.js';
import type { Logger } from './logger.js';
import { reasonOf } from './reason.js';
import type { Span } from './span.js';
import type { SpanTaker } from './tracer.js';

/** Spans that wait for the receiver; more are lost. About 2 KiB each. */
const MAX_QUEUED = 8_192;
/** Spans of one request to the receiver. */
const MAX_BATCH = 512;
/** Milliseconds for which spans wait for others. */
const GATHER_MS = 1_000;
/** Milliseconds after which a request counts as lost that neither succeeds nor fails. */
const HUNG_MS = 15_000;

/** Hands spans to the receiver. It rejects when the receiver has not taken them. */
export type SendSpans = (spans: readonly Span[]) => Promise<void>;

export interface SpanQueueParts {
  readonly send: SendSpans;
  /** Is told how many spans are lost. */
  readonly lost: (spans: number) => void;
  readonly logger: Logger;
  readonly gatherMs?: number;
  readonly hungMs?: number;
}

/** Spans on their way to a receiver, one request at a time. It never holds up who has made them. */
export class SpanQueue implements SpanTaker {
  #queue: Span[] = [];
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  /** Spans that are on their way; 0: none, or they are lost already. */
  #underWay = 0;
  #reason = '';
  readonly #line: CountedLine;
  readonly #parts: Required<SpanQueueParts>;

  constructor(parts: SpanQueueParts) {
    this.#parts = { gatherMs: GATHER_MS, hungMs: HUNG_MS, ...parts };
    this.#line = new CountedLine((count) =>
      parts.logger.warn({ count, reason: this.#reason }, 'traces were not exported'),
    );
  }

  take(spans: readonly Span[]): void {
    if (this.#queue.length + spans.length > MAX_QUEUED)
      return this.#lose(spans.length, 'the receiver takes them slower than they come');
    this.#queue.push(...spans);
    if (this.#queue.length >= MAX_BATCH) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), this.#parts.gatherMs).unref();
  }

  /** Sends what waits. What has not been taken after `withinMs` milliseconds is lost. */
  async close(withinMs: number): Promise<void> {
    const end = performance.now() + withinMs;
    while ((this.#queue.length > 0 || this.#sending !== null) && performance.now() < end) {
      this.#flush();
      await Promise.race([this.#sending, pause(end - performance.now())]);
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    const left = this.#queue.length + this.#underWay;
    if (left > 0) this.#lose(left, 'the node ends');
    this.#queue = [];
    this.#underWay = 0;
    this.#line.stop();
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#sending !== null || this.#queue.length === 0) return;
    const batch = this.#queue.splice(0, MAX_BATCH);
    this.#sending = this.#send(batch).finally(() => {
      this.#sending = null;
      if (this.#queue.length >= MAX_BATCH) this.#flush();
      else if (this.#queue.length > 0) this.#timer ??= setTimeout(() => this.#flush(), this.#parts.gatherMs).unref();
    });
  }

  /** Never rejects. */
  async #send(batch: readonly Span[]): Promise<void> {
    const { send, hungMs } = this.#parts;
    let timer: NodeJS.Timeout | undefined;
    const hung = new Promise<void>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the receiver does not answer')), hungMs).unref();
    });
    this.#underWay = batch.length;
    try {
      await Promise.race([send(batch), hung]);
    } catch (error) {
      if (this.#underWay > 0) this.#lose(this.#underWay, reasonOf(error));
    } finally {
      this.#underWay = 0;
      clearTimeout(timer);
    }
  }

  #lose(spans: number, reason: string): void {
    this.#reason = reason;
    this.#parts.lost(spans);
    this.#line.add();
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)).unref());
