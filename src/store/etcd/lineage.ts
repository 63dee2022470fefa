import type { Position } from '../position.js';

/**
 * The history that this node reads and writes: cluster id and epoch. The store and the feed share one object, so that
 * their positions name the history alike. The feed advances it when it sees the history go backwards.
 */
export class Lineage {
  #epoch = 0;
  #entered = 0;

  get epoch(): number {
    return this.#epoch;
  }

  /** Grows with every change of history, also to another cluster at the same epoch. */
  get entered(): number {
    return this.#entered;
  }

  /** Called by the feed alone, at every change of history: epochs only grow. */
  enter(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
    this.#entered++;
  }

  /** @param header header of an etcd response; the library hands out its int64 as decimal strings */
  position(header: { readonly cluster_id: string; readonly revision: string | number }): Position {
    return { cluster: header.cluster_id, epoch: this.#epoch, revision: Number(header.revision) };
  }
}
