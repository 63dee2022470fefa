/** How a request ended for its sender. */
export type Acknowledgement =
  /** Answered, or applied: PUBACK. */
  | 'done'
  /** It may have been applied: no PUBACK, so that the client sends it again. */
  | 'withheld'
  /** Nothing was done, and the connection ends by itself: neither an answer nor a PUBACK. */
  | 'unanswered'
  /** Rejected before it was begun: its sender has too many in flight. */
  | 'excessive'
  /** Not a message that clients may publish. */
  | 'unpublishable';

interface Entry {
  readonly work: () => Promise<Acknowledgement>;
  readonly settle: (how: Acknowledgement) => void;
  outcome: Acknowledgement | null;
}

/** Publishes of one connection that are worked on at once; AWS allows 100 in flight. */
export const MAX_IN_FLIGHT = 100;

/**
 * The publishes of one connection: worked on side by side, acknowledged in the order of their arrival (MQTT-4.6.0-2).
 * While it is full, the connection is not read, so it holds at most MAX_IN_FLIGHT and what one read had brought: a flood
 * waits in the sender's own socket.
 */
export class RequestQueue {
  readonly #entries: Entry[] = [];
  #started = 0;
  #running = 0;

  constructor(private readonly maxInFlight = MAX_IN_FLIGHT) {}

  get isFull(): boolean {
    return this.#entries.length >= this.maxInFlight;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** @param work must not reject; what it resolves to is passed to `settle` when everything before it is settled */
  push(work: Entry['work'], settle: Entry['settle']): void {
    this.#entries.push({ work, settle, outcome: null });
    this.#start();
  }

  #start(): void {
    while (this.#running < this.maxInFlight && this.#started < this.#entries.length) {
      const entry = this.#entries[this.#started++] as Entry;
      this.#running++;
      void entry.work().then((outcome) => {
        this.#running--;
        entry.outcome = outcome;
        this.#settleFirst();
        this.#start();
      });
    }
  }

  #settleFirst(): void {
    for (;;) {
      const first = this.#entries[0];
      if (!first || first.outcome === null) return;
      this.#entries.shift();
      this.#started--;
      first.settle(first.outcome);
    }
  }
}
