/**
 * Decides when to send, without a timer: as soon as an item waits and a slot is free, in the next turn of the event
 * loop, so that the items of one turn go together; while all slots are busy, items gather. An idle node adds no latency,
 * and a busy one fills its batches.
 */
export class SendSlots<T> {
  #busy = 0;
  #scheduled = false;

  /**
   * @param slots batches under way at once
   * @param take the next batch; an empty one means that nothing can go now
   * @param send never rejects
   */
  constructor(
    private readonly slots: number,
    private readonly take: () => T[],
    private readonly send: (batch: T[]) => Promise<void>,
  ) {}

  /** To be called after an item was added. */
  kick(): void {
    if (this.#scheduled || this.#busy >= this.slots) return;
    this.#scheduled = true;
    setImmediate(this.#pump);
  }

  readonly #pump = (): void => {
    this.#scheduled = false;
    while (this.#busy < this.slots) {
      const batch = this.take();
      if (batch.length === 0) return;
      this.#busy++;
      void this.send(batch).finally(() => {
        this.#busy--;
        this.kick();
      });
    }
  };
}
