import { clientError, type UmbraError } from '../umbra-error.js';
import { mergedPatch, type Json } from './merge.js';

export interface Waiter<T> {
  resolve(value: T): void;
  reject(error: UmbraError): void;
}

/** One update, of one report or of several. */
export interface Update<T> {
  readonly patch: Json;
  readonly clientToken: string;
  /** The patch as JSON. */
  readonly text: string;
  readonly waiters: Waiter<T>[];
  /** What it was merged of, to be sent alone should the whole be rejected. */
  readonly parts: readonly Update<T>[];
}

/** Reports that wait apart from each other; more are merged for good. */
const MAX_UPDATES = 64;

/** Reports in their order, until they are taken together as one update. Bounded. */
export class ReportQueue<T> {
  /** Must go before all others, each alone. */
  #alone: Update<T>[] = [];
  #waiting: Update<T>[] = [];
  #size = 0;

  /** @param maxSize characters of JSON that may wait */
  constructor(
    private readonly newId: () => string,
    private readonly maxSize: number,
  ) {}

  /** All that waits, in its order. */
  get updates(): readonly Update<T>[] {
    return [...this.#alone, ...this.#waiting];
  }

  get isEmpty(): boolean {
    return this.#alone.length === 0 && this.#waiting.length === 0;
  }

  /** @throws UmbraError outbox-full */
  add(patch: Json, waiters: Waiter<T>[], clientToken = this.newId()): void {
    const update = { patch, clientToken, text: JSON.stringify(patch), waiters, parts: [] };
    if (!this.#fits(update)) this.#compact();
    if (!this.#fits(update))
      throw clientError('outbox-full', `the outbox is full: ${this.#size} bytes wait`, { retryable: true });
    this.#waiting.push(update);
    this.#size += update.text.length;
  }

  /** What a process before this one has left goes first. No errors. */
  restore(updates: readonly Pick<Update<T>, 'patch' | 'clientToken'>[]): void {
    const before = updates.map(({ patch, clientToken }) => {
      return { patch, clientToken, text: JSON.stringify(patch), waiters: [], parts: [] };
    });
    this.#waiting.unshift(...before);
    this.#size += sizeOf(before);
  }

  /** The next update: what waits, as far as it can be one. null: nothing waits. */
  take(): Update<T> | null {
    const first = this.#alone.shift() ?? this.#waiting.shift();
    if (!first) return null;
    if (first.parts === ALONE) return first;
    if (this.#waiting.length === 0) {
      this.#size -= first.text.length;
      return first;
    }
    const parts = [first];
    let { patch } = first;
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const merged = mergedPatch(patch, next.patch);
      if (merged === undefined) break;
      patch = merged;
      parts.push(next);
      this.#waiting.shift();
    }
    this.#size -= sizeOf(parts);
    return parts.length === 1 ? first : this.#merged(patch, parts);
  }

  /** Puts the parts of an update that was taken back, to be taken one by one. False: it has none. */
  split({ parts }: Update<T>): boolean {
    if (parts.length < 2) return false;
    this.#alone = [...parts.map((part) => ({ ...part, parts: ALONE })), ...this.#alone];
    return true;
  }

  clear(): readonly Update<T>[] {
    const all = this.updates;
    [this.#alone, this.#waiting, this.#size] = [[], [], 0];
    return all;
  }

  #fits({ text }: Update<T>): boolean {
    return this.#size + text.length <= this.maxSize && this.#waiting.length < MAX_UPDATES;
  }

  /** Merges what waits for good: leaf by leaf, it takes no more than a shadow does. */
  #compact(): void {
    const merged: Update<T>[] = [];
    for (const update of this.#waiting) {
      const last = merged.at(-1);
      const patch = last && mergedPatch(last.patch, update.patch);
      if (!last || patch === undefined) merged.push(update);
      else merged[merged.length - 1] = { ...this.#merged(patch, [last, update]), parts: [] };
    }
    this.#waiting = merged;
    this.#size = sizeOf(merged);
  }

  #merged(patch: Json, parts: readonly Update<T>[]): Update<T> {
    const waiters = parts.flatMap((part) => part.waiters);
    return { patch, clientToken: this.newId(), text: JSON.stringify(patch), waiters, parts };
  }
}

/** Marks an update that is not merged again. */
const ALONE: readonly never[] = [];

const sizeOf = (updates: readonly { readonly text: string }[]): number =>
  updates.reduce((sum, { text }) => sum + text.length, 0);
