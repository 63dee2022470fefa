import { LRUCache } from 'lru-cache';

const MAX_TOKENS = 50_000;
/** Bytes of all texts together with what is kept of each: long tokens leave room for fewer. */
const MAX_BYTES = 64 * 1024 * 1024;
const ENTRY_BYTES = 600;
/** Milliseconds after which a token is verified anew, whatever its end. */
const LONGEST_MS = 5 * 60_000;

interface Remembered<T> {
  readonly value: T;
  /** Milliseconds of the monotonic clock. */
  readonly until: number;
}

/**
 * What was verified of a token, by its whole text: verification costs as much as several reads of a shadow. The text is
 * compared by the Map, which finds it by a seeded hash, so that its time tells nobody how much of a guess is right.
 */
export class VerifiedTokens<T extends object> {
  readonly #tokens: LRUCache<string, Remembered<T>>;

  constructor(limits: { readonly tokens?: number; readonly bytes?: number } = {}) {
    this.#tokens = new LRUCache({
      max: limits.tokens ?? MAX_TOKENS,
      maxSize: limits.bytes ?? MAX_BYTES,
      sizeCalculation: (_value, token) => token.length + ENTRY_BYTES,
    });
  }

  get size(): number {
    return this.#tokens.size;
  }

  /** @param now milliseconds of the monotonic clock */
  get(token: string, now: number): T | null {
    const found = this.#tokens.get(token);
    if (found === undefined) return null;
    if (found.until > now) return found.value;
    this.#tokens.delete(token);
    return null;
  }

  /** @param now milliseconds of the monotonic clock */
  set(token: string, value: T, now: number): void {
    this.#tokens.set(token, { value, until: now + LONGEST_MS });
  }

  delete(token: string): void {
    this.#tokens.delete(token);
  }

  clear(): void {
    this.#tokens.clear();
  }
}
