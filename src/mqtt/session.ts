import type { AedesClient, OutgoingPacket, StoredSubscription } from './aedes-parts.js';

interface Kept {
  readonly packet: OutgoingPacket;
  /** Identifier under which it was sent and is not acknowledged yet. */
  messageId: number | null;
}

/** What outlives the connections of one persistent client: its subscriptions, and messages that it has not acknowledged. */
export class Session {
  readonly subscriptions = new Map<string, StoredSubscription>();
  readonly #kept: Kept[] = [];
  /** The connection that has it now. */
  client: AedesClient | null = null;
  /** Epoch milliseconds of the end of its last connection. */
  offlineSince = 0;
  #dropped = 0;

  constructor(
    readonly id: string,
    private readonly maxMessages: number,
  ) {}

  get waiting(): number {
    return this.#kept.length;
  }

  /** MQTT 5: it does not want what it published itself. */
  get hasNoLocal(): boolean {
    return [...this.subscriptions.values()].some(({ nl }) => nl === true);
  }

  /** Messages that had to go since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Keeps one message; the oldest goes when there are too many. */
  keep(packet: OutgoingPacket): void {
    // The same message by another filter.
    if (this.#kept.at(-1)?.packet === packet) return;
    this.#kept.push({ packet, messageId: null });
    if (this.#kept.length <= this.maxMessages) return;
    this.#kept.shift();
    this.#dropped++;
  }

  /** Notes the identifier under which a kept message is being sent. */
  sent(brokerCounter: number, messageId: number): void {
    const kept = this.#kept.findLast(({ packet }) => packet.brokerCounter === brokerCounter);
    if (kept) kept.messageId = messageId;
  }

  acknowledge(messageId: number): OutgoingPacket | undefined {
    const at = this.#kept.findIndex((kept) => kept.messageId === messageId);
    return at < 0 ? undefined : this.#kept.splice(at, 1)[0]?.packet;
  }

  /**
   * What to send on a new connection, oldest first: what was sent before goes again under its identifier, marked as a
   * duplicate (MQTT-4.4.0-1). `brokerId: null` keeps aedes from taking it for one and dropping it.
   */
  backlog(): OutgoingPacket[] {
    return this.#kept.map(({ packet, messageId }) =>
      messageId === null
        ? { ...packet, brokerId: null }
        : { ...packet, brokerId: null, dup: true, messageId: messageId },
    );
  }

  /** Kept messages that came after the one with this counter. */
  after(brokerCounter: number): OutgoingPacket[] {
    const at = this.#kept.findLastIndex(({ packet }) => packet.brokerCounter <= brokerCounter);
    return this.#kept.slice(at + 1).map(({ packet }) => ({ ...packet, brokerId: null }));
  }
}
