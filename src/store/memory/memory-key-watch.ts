import type { KeyListener, KeyUpdate, KeyWatch, StoredKey } from '../cluster-keys.js';

export interface MemoryWatchOptions {
  /** Whole path that the keys start with. */
  readonly from: string;
  /** Whole path to which the keys are told relative. */
  readonly path: string;
  readonly listener: KeyListener;
  readonly signal: AbortSignal;
  /** The keys as of now, relative to `path`. */
  readonly read: () => { keys: ReadonlyMap<string, StoredKey>; revision: number };
}

/** Milliseconds until a listener that has thrown gets a new snapshot. */
const PAUSE_MS = 50;

/** A watch on memory. It tells in a later turn of the event loop, as one over the network does. */
export class MemoryKeyWatch implements KeyWatch {
  /** Counts snapshots, so that what was committed before one is not told after it. */
  #snapshots = 0;
  #isCurrent = false;
  /** When the listener last had everything, by performance.now(); null: never. */
  #brokenAt: number | null = null;
  reason = 'waits for its snapshot';

  constructor(private readonly options: MemoryWatchOptions) {
    setImmediate(() => this.#begin());
  }

  get staleMs(): number | null {
    if (this.#isCurrent) return 0;
    return this.#brokenAt === null ? null : performance.now() - this.#brokenAt;
  }

  /** What one commit has changed, by whole paths. No errors. */
  tell(updates: readonly KeyUpdate[]): void {
    const { from, path, listener } = this.options;
    const concerned = updates.filter(({ key }) => key.startsWith(from));
    const snapshot = this.#snapshots;
    if (!this.#isCurrent || concerned.length === 0) return;
    setImmediate(() => {
      if (snapshot !== this.#snapshots || !this.#isCurrent) return;
      this.#try(() => {
        for (const { key, value, revision } of concerned) {
          if (!this.options.signal.aborted) listener.change({ key: key.slice(path.length), value, revision });
        }
      });
    });
  }

  #begin(): void {
    const { read, listener } = this.options;
    this.#snapshots++;
    this.#try(() => {
      const { keys, revision } = read();
      listener.snapshot(keys, revision);
      this.#isCurrent = true;
      this.reason = 'follows the memory of this process';
    });
  }

  #try(tell: () => void): void {
    if (this.options.signal.aborted) return;
    try {
      tell();
    } catch (error) {
      if (this.#isCurrent) this.#brokenAt = performance.now();
      this.#isCurrent = false;
      this.reason = `its listener failed: ${String(error)}`;
      setTimeout(() => this.#begin(), PAUSE_MS).unref();
    }
  }
}
