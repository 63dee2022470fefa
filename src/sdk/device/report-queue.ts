import { clientError, type UmbraError } from '../umbra-error.js';
import { PatchMerge, type Json } from './merge.js';
import { MAX_MERGED } from './size-limits.js';

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
  /** What it was merged of, to be sent apart should the whole be rejected. */
  readonly parts: readonly Update<T>[];
}

export interface QueueLimits {
  /** Characters that may wait. */
  readonly maxWaiting: number;
  /** Characters from which on the older half is merged for good, if there are `MIN_APART` reports. */
  readonly maxApart: number;
}

/** Characters that a report takes beside its patch: its token, and what is about both in an outbox. */
const ABOUT_EACH = 64;
/** Part of that from which on a merge ends when it is measured, so that few have to be. */
const FULL = 0.75;
/** Reports that stay apart as long as they may wait at all. */
const MIN_APART = 64;

/**
 * Reports in their order, until they are taken together as one update. Bounded: when they take too much, the older half
 * is merged for good, and a report that is rejected then takes no others along than these.
 */
export class ReportQueue<T> {
  /** Must go before all others, not merged with them. */
  #alone: Update<T>[] = [];
  #waiting: Update<T>[] = [];
  #size = 0;
  /** Characters from which on the older half is merged: more than before where that made it little smaller. */
  #mergeFrom: number;
  /** Whether merging was tried, and nothing has come since. */
  #isDense = false;

  constructor(
    private readonly newId: () => string,
    private readonly limits: QueueLimits,
  ) {
    this.#mergeFrom = limits.maxApart;
  }

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
    const size = sizeOf([update]);
    if (this.#size + size > this.#mergeFrom && this.#waiting.length >= MIN_APART) this.#compact(0.5);
    this.#makeRoom(size);
    if (!this.#fits(size))
      throw clientError('outbox-full', `the outbox is full: ${this.#size} characters wait`, { retryable: true });
    this.#waiting.push(update);
    this.#size += size;
    this.#isDense = false;
  }

  /** What a process before this one has left goes first. No errors. */
  restore(updates: readonly Pick<Update<T>, 'patch' | 'clientToken'>[]): void {
    const before = updates.map(({ patch, clientToken }) => {
      return { patch, clientToken, text: JSON.stringify(patch), waiters: [], parts: [] };
    });
    this.#waiting = [...before, ...this.#waiting];
    this.#size += sizeOf(before);
    this.#isDense = false;
  }

  /** The next update: what waits, as far as it can be one. null: nothing waits. */
  take(): Update<T> | null {
    const alone = this.#alone.shift();
    if (alone) return alone;
    const first = this.#waiting[0];
    if (!first) return null;
    const { count, update } =
      this.#waiting.length === 1 ? { count: 1, update: first } : this.#mergedFrom(this.#waiting);
    this.#size -= sizeOf(this.#waiting.splice(0, count));
    if (this.#waiting.length === 0) this.#mergeFrom = this.limits.maxApart;
    this.#isDense = false;
    return update;
  }

  /** Puts both halves of an update that was taken back, to be taken as they are. False: it has no parts. */
  split({ parts, waiters }: Update<T>): boolean {
    if (parts.length < 2) return false;
    // Of waits that have begun since it was merged: they end with its last part.
    const later = waiters.slice(parts.reduce((count, part) => count + part.waiters.length, 0));
    parts.at(-1)!.waiters.push(...later);
    const middle = parts.length >> 1;
    const halves = [...this.#grouped(parts.slice(0, middle)), ...this.#grouped(parts.slice(middle))];
    this.#alone = [...halves, ...this.#alone];
    return true;
  }

  clear(): readonly Update<T>[] {
    const all = this.updates;
    [this.#alone, this.#waiting, this.#size] = [[], [], 0];
    return all;
  }

  #fits(size: number): boolean {
    return this.#size + size <= this.limits.maxWaiting;
  }

  #makeRoom(size: number): void {
    for (const part of [0.5, 1]) if (!this.#isDense && !this.#fits(size)) this.#compact(part);
  }

  /** Merges the oldest for good: leaf by leaf, they take no more than a shadow does. */
  #compact(part: number): void {
    const count = Math.ceil(this.#waiting.length * part);
    const merged = this.#grouped(this.#waiting.slice(0, count)).map((update) => ({ ...update, parts: [] }));
    this.#waiting = [...merged, ...this.#waiting.slice(count)];
    this.#size = sizeOf(this.#waiting);
    this.#mergeFrom = this.limits.maxApart + 2 * sizeOf(merged);
    this.#isDense = part === 1;
  }

  /** As few updates as can say what these say. */
  #grouped(updates: readonly Update<T>[]): Update<T>[] {
    const groups: Update<T>[] = [];
    for (let at = 0; at < updates.length;) {
      const { count, update } = this.#mergedFrom(updates, at);
      groups.push(update);
      at += count;
    }
    return groups;
  }

  /** As many as can be one update, from the one at `at` on. */
  #mergedFrom(updates: readonly Update<T>[], at = 0): { count: number; update: Update<T> } {
    const merge = new PatchMerge(updates[at]!.patch);
    let end = at + 1;
    // As if each added all that it has; measured when that seems too much.
    let size = updates[at]!.text.length;
    for (; end < updates.length; end++) {
      const { patch, text } = updates[end]!;
      if (size + text.length > MAX_MERGED) {
        size = JSON.stringify(merge.patch).length;
        if (size > FULL * MAX_MERGED || size + text.length > MAX_MERGED) break;
      }
      if (!merge.add(patch)) break;
      size += text.length;
    }
    const parts = updates.slice(at, end);
    return { count: parts.length, update: parts.length === 1 ? parts[0]! : this.#merged(merge.patch, parts) };
  }

  #merged(patch: Json, parts: readonly Update<T>[]): Update<T> {
    const waiters = parts.flatMap((part) => part.waiters);
    return { patch, clientToken: this.newId(), text: JSON.stringify(patch), waiters, parts };
  }
}

const sizeOf = (updates: readonly { readonly text: string }[]): number =>
  updates.reduce((sum, { text }) => sum + text.length + ABOUT_EACH, 0);
