/** Work on one shadow after the other piece in the order of the calls; work on several shadows at once. */
export class InOrder {
  readonly #last = new Map<string, Promise<void>>();

  /** @param work must not reject; while it does not end, nothing else of this shadow begins. No errors. */
  run(shadow: string, work: () => Promise<void>): Promise<void> {
    const before = this.#last.get(shadow);
    const mine = before ? before.then(work) : work();
    this.#last.set(shadow, mine);
    void mine.then(() => {
      if (this.#last.get(shadow) === mine) this.#last.delete(shadow);
    });
    return mine;
  }
}
