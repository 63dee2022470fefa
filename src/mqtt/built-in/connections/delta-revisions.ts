import type { MemoryBudget } from '../sessions/memory-budget.js';

/** Topics of one connection beside two for each of its filters: what wildcards in place of a shadow name may bring. */
const MAX_BY_WILDCARDS = 1_000;
/** Bytes that a topic takes beside its characters, roughly. */
const ENTRY_BYTES = 100;

export interface DeltaRevisionsParts {
  readonly budget: MemoryBudget;
  /** Whether the budget is met, or has been made to be. */
  readonly makeRoom: () => boolean;
  /** Filters that one client may have. */
  readonly maxSubscriptions: number;
}

/**
 * Topics whose current delta one connection was sent or is to be sent, with the revision of the newest delta sent (0:
 * none yet). They keep an older delta from following a newer one. They are bounded, and count as what clients make the
 * node keep.
 */
export class DeltaRevisions {
  readonly #byTopic = new Map<string, number>();
  readonly #max: number;

  constructor(private readonly parts: DeltaRevisionsParts) {
    this.#max = 2 * parts.maxSubscriptions + MAX_BY_WILDCARDS;
  }

  get size(): number {
    return this.#byTopic.size;
  }

  /** Begins to note the revisions of a topic. @returns whether there is room for it */
  note(topic: string): boolean {
    if (this.#byTopic.has(topic)) return true;
    if (this.#byTopic.size >= this.#max) return false;
    const { budget, makeRoom } = this.parts;
    budget.add(bytesOf(topic));
    if (!makeRoom()) {
      budget.add(-bytesOf(topic));
      return false;
    }
    this.#byTopic.set(topic, 0);
    return true;
  }

  /** @returns undefined: the topic is not noted */
  get(topic: string): number | undefined {
    return this.#byTopic.get(topic);
  }

  /** Of a topic that is noted. */
  set(topic: string, revision: number): void {
    if (this.#byTopic.has(topic)) this.#byTopic.set(topic, revision);
  }

  delete(topic: string): void {
    if (this.#byTopic.delete(topic)) this.parts.budget.add(-bytesOf(topic));
  }

  topics(): IterableIterator<string> {
    return this.#byTopic.keys();
  }

  clear(): void {
    for (const topic of this.#byTopic.keys()) this.delete(topic);
  }
}

const bytesOf = (topic: string): number => topic.length + ENTRY_BYTES;
