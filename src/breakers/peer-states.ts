import { readState } from './breaker-state.js';

/** States that are kept of all peers together: a state is only a hint, and what is beyond is not taken. */
const MOST = 10_000;

/** On which nodes the breaker of a dependency is not closed. */
export class PeerStates {
  /** Dependency to nodes. */
  readonly #open = new Map<string, Set<string>>();
  #count = 0;

  /** @param most states that are kept; tests lower it */
  constructor(private readonly most = MOST) {}

  /** No errors. */
  openOn(dependency: string): readonly string[] {
    const nodes = this.#open.get(dependency);
    return nodes ? [...nodes] : [];
  }

  /** No errors. */
  has(dependency: string, node: string): boolean {
    return this.#open.get(dependency)?.has(node) ?? false;
  }

  /**
   * Takes over a record; null: it is gone, with its node or with its lease, which proves nothing about the dependency.
   * @returns whether it says that the breaker is closed
   */
  set(dependency: string, node: string, value: string | null): boolean {
    const state = value === null ? null : readState(value);
    const isOpen = state !== null && state.state !== 'closed';
    if (isOpen) this.#add(dependency, node);
    else this.#remove(dependency, node);
    return state?.state === 'closed';
  }

  #add(dependency: string, node: string): void {
    if (this.has(dependency, node) || this.#count >= this.most) return;
    const nodes = this.#open.get(dependency);
    if (nodes) nodes.add(node);
    else this.#open.set(dependency, new Set([node]));
    this.#count++;
  }

  #remove(dependency: string, node: string): void {
    const nodes = this.#open.get(dependency);
    if (!nodes?.delete(node)) return;
    this.#count--;
    if (nodes.size === 0) this.#open.delete(dependency);
  }
}
