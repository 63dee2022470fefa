/** Lets the writer of a stream wait for its socket, for as long as the peer may read nothing. */
export class DrainWait {
  #isAbandoned = false;
  #wake: (() => void) | null = null;

  /** @param stallMs milliseconds for which the peer may read nothing while data waits for it */
  constructor(private readonly stallMs: number) {}

  /** The socket takes more, or is closed. */
  notify(): void {
    this.#wake?.();
  }

  /** Ends this wait and all later ones with false, because what waits is no longer needed. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#wake?.();
  }

  /** Resolves with true when notified; with false after `stallMs`, or when abandoned. It never rejects. */
  async next(): Promise<boolean> {
    if (this.#isAbandoned) return false;
    let isStalled = false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => ((isStalled = true), resolve()), this.stallMs);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
    this.#wake = null;
    return !isStalled && !this.#isAbandoned;
  }
}
