import { TokenBucket } from './token-bucket.js';

/**
 * Buckets by name, a bounded number of them: those that were asked for least lately are forgotten, a half at a time.
 * A bucket that is forgotten is full when it is asked for again.
 */
export class TokenBuckets {
  #young = new Map<string, TokenBucket>();
  #old = new Map<string, TokenBucket>();
  readonly #half: number;

  /** @param most buckets at once, about */
  constructor(most: number) {
    this.#half = Math.ceil(most / 2);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** No errors. */
  of(name: string): TokenBucket {
    return this.#young.get(name) ?? this.#renewed(name);
  }

  #renewed(name: string): TokenBucket {
    const bucket = this.#old.get(name) ?? new TokenBucket();
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#old.delete(name);
    this.#young.set(name, bucket);
    return bucket;
  }
}
