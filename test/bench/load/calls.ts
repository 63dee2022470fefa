import type { Load, Sample } from './sample.js';
import { WindowClock } from './window.js';

/** So many callers, each with one call under way. */
export class Calls implements Load {
  readonly #clock = new WindowClock();
  #count = 0;

  /** @param call gets the caller's number and a number that never comes again */
  constructor(
    private readonly callers: number,
    private readonly call: (caller: number, n: number) => Promise<unknown>,
    private readonly release: () => void = () => {},
  ) {}

  async run(seconds: number): Promise<Sample> {
    let running = true;
    const work = Array.from({ length: this.callers }, async (_, caller) => {
      while (running) {
        const start = performance.now();
        await this.call(caller, ++this.#count);
        this.#clock.done(start);
      }
    });
    const failed = Promise.all(work);
    failed.catch(() => (running = false));
    const sample = await Promise.race([this.#clock.measure(seconds), failed.then(() => never)]);
    running = false;
    await failed;
    return sample;
  }

  end(): void {
    this.release();
  }
}

const never = new Promise<never>(() => {});
