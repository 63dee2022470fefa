/** Counts what each network (network-of.ts) has open. It keeps nothing of networks that have nothing. */
export class NetworkCounts {
  readonly #open = new Map<string, number>();

  /** Networks that have something open. */
  get size(): number {
    return this.#open.size;
  }

  of(network: string): number {
    return this.#open.get(network) ?? 0;
  }

  /** @returns how much the network has open now */
  entered(network: string): number {
    const count = this.of(network) + 1;
    this.#open.set(network, count);
    return count;
  }

  left(network: string): void {
    const count = this.of(network);
    if (count > 1) this.#open.set(network, count - 1);
    else this.#open.delete(network);
  }
}
