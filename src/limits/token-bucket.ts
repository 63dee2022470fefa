/**
 * What something may have a second, and at once after a pause: a second's worth, at least one. It keeps two numbers and
 * no timer.
 */
export class TokenBucket {
  #tokens = Infinity;
  #atMs = 0;

  /**
   * Whether there is one. @param nowMs milliseconds of a monotonic clock @param most tokens that a pause saves up
   * No errors.
   */
  has(nowMs: number, perSecond: number, most = Math.max(1, perSecond)): boolean {
    this.#tokens = Math.min(most, this.#tokens + ((nowMs - this.#atMs) * perSecond) / 1000);
    this.#atMs = nowMs;
    return this.#tokens >= 1;
  }

  /** Takes one, after `has` has said that there is one. No errors. */
  take(): void {
    this.#tokens--;
  }
}
