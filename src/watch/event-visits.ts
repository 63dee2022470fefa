import type { ShadowEvent, Visit } from './subscription.js';

/** Hands events to a visitor as they come, without a promise for each. */
export class EventVisits {
  /** Resolves with true when there are no more events, with false when the visitor wants none. @throws what it throws */
  readonly over: Promise<boolean>;
  #resolve!: (isWhole: boolean) => void;
  #reject!: (error: unknown) => void;
  #isBusy = false;
  #hasEnded = false;

  /** @param next asked for what waits, each time that the visitor is ready again; null: nothing waits */
  constructor(
    private readonly visit: Visit,
    private readonly next: () => ShadowEvent | null,
  ) {
    this.over = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Whether the visitor takes an event at once. */
  get isFree(): boolean {
    return !this.#isBusy;
  }

  /** Only while it is free. No errors. */
  take(event: ShadowEvent): void {
    this.#give(event);
    // The visitor has ended the subscription itself.
    if (this.#hasEnded && this.isFree) this.flow();
  }

  /** Hands over what waits. No errors. */
  flow(): void {
    this.#isBusy = false;
    while (!this.#isBusy) {
      const event = this.next();
      if (event === null) return this.#rest();
      this.#give(event);
    }
  }

  /** No more events come; those that wait are still handed over. No errors. */
  end(): void {
    this.#hasEnded = true;
    if (this.isFree) this.#resolve(true);
  }

  #give(event: ShadowEvent): void {
    // A visitor may end the subscription, which asks whether it is free.
    this.#isBusy = true;
    try {
      const isOpen = this.visit(event);
      if (isOpen === true) this.#isBusy = false;
      else if (isOpen === false) this.#resolve(false);
      else isOpen.then((open) => (open ? this.flow() : this.#resolve(false)), this.#reject);
    } catch (error) {
      this.#reject(error);
    }
  }

  #rest(): void {
    if (this.#hasEnded) this.#resolve(true);
  }
}
