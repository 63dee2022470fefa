/** Parts of a run; the first and the last are compared. */
export const PARTS = 3;
/** Different failures that are shown, and characters of each. */
const SHOWN = 5;
const MAX_REASON = 160;

/** What a run showed, by door and part. A request belongs to the part in which it was due. */
export class Journal {
  readonly #parts: Map<string, number[]>[] = Array.from({ length: PARTS }, () => new Map<string, number[]>());
  readonly #failures = new Map<string, number>();
  #from = Infinity;
  #each = 0;
  #failed = 0;

  /** @param from milliseconds of `performance.now()`; what is due before it counts only if it fails */
  begin(from: number, seconds: number): void {
    this.#from = from;
    this.#each = (seconds * 1000) / PARTS;
  }

  done(door: string, dueAt: number): void {
    const part = this.#parts[Math.floor((dueAt - this.#from) / this.#each)];
    if (part === undefined) return;
    const taken = performance.now() - dueAt;
    const times = part.get(door);
    if (times) times.push(taken);
    else part.set(door, [taken]);
  }

  failed(door: string, reason: unknown, count = 1): void {
    const text = `${door}: ${reason instanceof Error ? reason.message : String(reason)}`.slice(0, MAX_REASON);
    this.#failed += count;
    if (this.#failures.size < SHOWN || this.#failures.has(text))
      this.#failures.set(text, (this.#failures.get(text) ?? 0) + count);
  }

  get doors(): string[] {
    return [...new Set(this.#parts.flatMap((part) => [...part.keys()]))].sort();
  }

  /** Milliseconds from the moment at which each was due. */
  times(part: number, door: string): readonly number[] {
    return this.#parts[part]?.get(door) ?? [];
  }

  get failures(): number {
    return this.#failed;
  }

  get reasons(): string[] {
    return [...this.#failures].map(([reason, count]) => `${count} times ${reason}`);
  }
}
