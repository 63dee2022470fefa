import type { ShadowRecord } from '../shadow-store.js';

/** All changes in their order, as the watch of a real store delivers them. */
export class ChangeLog {
  readonly #records: ShadowRecord[] = [];
  readonly #listeners = new Set<(record: ShadowRecord) => void>();
  #compacted = 0;

  /** Changes that were not compacted away, oldest first; one per revision. */
  get records(): readonly ShadowRecord[] {
    return this.#records;
  }

  /** Changes of lower revisions are gone. */
  get compacted(): number {
    return this.#compacted;
  }

  /** Calls `listener` for every later change, synchronously, inside the commit. Returns a function that removes it. */
  onAppend(listener: (record: ShadowRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Adds a change and calls the listeners at once. */
  append(record: ShadowRecord): void {
    this.#records.push(record);
    for (const listener of [...this.#listeners]) listener(record);
  }

  /** Drops the changes before `revision`, as a compaction of etcd does. */
  compactTo(revision: number): void {
    this.#compacted = Math.max(this.#compacted, revision);
    const keep = this.#records.findIndex((record) => record.position.revision >= revision);
    this.#records.splice(0, keep < 0 ? this.#records.length : keep);
  }
}
