/** A shadow that comes and goes: requests for it wait for each other, so that none deletes what is not there yet. */
export class Turns {
  #isThere = false;
  #last: Promise<unknown> = Promise.resolve();

  async next(create: () => Promise<unknown>, remove: () => Promise<unknown>): Promise<'come' | 'gone'> {
    const turn = this.#last.then(async () => {
      await (this.#isThere ? remove() : create());
      this.#isThere = !this.#isThere;
      return this.#isThere ? 'come' : 'gone';
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
