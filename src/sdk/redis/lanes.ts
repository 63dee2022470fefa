/** Runs tasks: those of a lane one after the other, and so many at once in all. */
export class Lanes {
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(concurrency: number) {
    this.#free = concurrency;
  }

  /** Runs a task when the earlier ones of all its lanes have ended. @throws what it throws */
  async follow<T>(lanes: readonly string[], task: () => Promise<T>): Promise<T> {
    const before = lanes.map((lane) => this.#tails.get(lane));
    const run = Promise.allSettled(before).then(task);
    const tail = run.catch(() => undefined);
    for (const lane of lanes) this.#tails.set(lane, tail);
    try {
      return await run;
    } finally {
      for (const lane of lanes) if (this.#tails.get(lane) === tail) this.#tails.delete(lane);
    }
  }

  /** Runs a step when one of the places is free. @throws what it throws */
  async place<T>(step: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((go) => this.#waiting.push(go));
    try {
      return await step();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
