import type { Signal } from '../resilience/signal.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { ShadowEvent } from './subscription.js';

/** Bytes of a parsed record besides its content. */
const RECORD_BYTES = 512;
/** Bytes in memory for one byte in the store: parsed JSON takes 1 to 2, the text of the event up to 1 more. */
const EXPANSION = 3;
/** Bytes of an event and its place in a queue. */
const EVENT_BYTES = 32;
/** Readers that catch up stop at this share of the limit: the rest is for live readers, who cannot wait. */
const CATCH_UP_SHARE = 3 / 4;
/** Readers that wait for memory continue below this share, so that they do not wake for every record. */
const RESUME_SHARE = 5 / 8;

/**
 * The memory of all queues of one hub, in estimated bytes of the parsed records. A record that waits in many queues
 * counts once, as it is in memory once.
 */
export class QueueMemory {
  #used = 0;
  readonly #holders = new Map<ShadowRecord, number>();
  readonly #waiting = new Set<Signal>();

  /** @param maxBytes estimated bytes that all queues together may take */
  constructor(private readonly maxBytes: number) {}

  /** Estimated bytes of everything that waits in the queues. */
  get used(): number {
    return this.#used;
  }

  /** Whether more is used than allowed: somebody has to give up what waits for it. */
  get isExceeded(): boolean {
    return this.#used > this.maxBytes;
  }

  /** Whether a reader that catches up has to wait. */
  get isScarce(): boolean {
    return this.#used >= this.maxBytes * CATCH_UP_SHARE;
  }

  /** Whether a reader that waited for memory may continue. */
  get hasRoom(): boolean {
    return this.#used < this.maxBytes * RESUME_SHARE;
  }

  /** Counts an event that is put into a queue. */
  hold(event: ShadowEvent): void {
    this.#used += EVENT_BYTES;
    if (!('record' in event)) return;
    const holders = this.#holders.get(event.record) ?? 0;
    this.#holders.set(event.record, holders + 1);
    if (holders === 0) this.#used += sizeOf(event.record);
  }

  /** Stops counting an event that has left its queue. */
  release(event: ShadowEvent): void {
    const wasShort = !this.hasRoom;
    this.#used -= EVENT_BYTES;
    if ('record' in event) this.#forget(event.record);
    if (wasShort && this.hasRoom) for (const signal of [...this.#waiting]) signal.notify();
  }

  /** Notifies `signal` whenever there is room again. Returns how to stop that. */
  onRoom(signal: Signal): () => void {
    this.#waiting.add(signal);
    return () => void this.#waiting.delete(signal);
  }

  #forget(record: ShadowRecord): void {
    const holders = this.#holders.get(record) ?? 0;
    if (holders > 1) return void this.#holders.set(record, holders - 1);
    if (this.#holders.delete(record)) this.#used -= sizeOf(record);
  }
}

const sizeOf = ({ bytes = 0 }: ShadowRecord): number => RECORD_BYTES + EXPANSION * bytes;
