/** What the service has shown of one shadow. */
export interface KnownVersion {
  /** null: there was no such shadow. */
  readonly version: number | null;
  /** Milliseconds of the monotonic clock. */
  readonly at: number;
}

/** The latest of each shadow, so many of them; what was shown first is forgotten first. */
export class KnownVersions {
  readonly #known = new Map<string, KnownVersion>();

  constructor(private readonly limit: number) {}

  get(key: string): KnownVersion | undefined {
    return this.#known.get(key);
  }

  /** Keeps it, unless a later question was answered already. */
  set(key: string, version: number | null, at: number): void {
    const before = this.#known.get(key);
    if (before && before.at > at) return;
    this.#known.delete(key);
    this.#known.set(key, { version, at });
    if (this.#known.size <= this.limit) return;
    for (const oldest of this.#known.keys()) return void this.#known.delete(oldest);
  }
}
