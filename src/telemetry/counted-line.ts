/** Milliseconds between two lines. */
const LOG_MS = 10_000;

/** One line in the log at once, then one for every LOG_MS in which the same happened again: its cause may be a flood. */
export class CountedLine {
  #count = 0;
  #timer: NodeJS.Timeout | null = null;

  /** @param log writes the line; `count`: how often it happened since the last one */
  constructor(private readonly log: (count: number) => void) {}

  add(): void {
    this.#count++;
    if (this.#timer !== null) return;
    this.#write();
    this.#timer = setInterval(() => {
      if (this.#count > 0) return this.#write();
      this.stop();
    }, LOG_MS).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #write(): void {
    const count = this.#count;
    this.#count = 0;
    this.log(count);
  }
}
