import type { AedesClient, OutgoingPacket, StoredSubscription } from '../aedes/aedes-parts.js';

/** A message that is kept, once for all sessions that keep it. */
export interface Shared {
  readonly packet: OutgoingPacket;
  /** Sessions that keep it. */
  holders: number;
}

interface Kept {
  readonly shared: Shared;
  readonly packet: OutgoingPacket;
  /** Identifier under which it was sent and is not acknowledged yet. */
  messageId: number | null;
}

/** Bytes of one entry in the list of a session, about. */
const ENTRY_BYTES = 64;

/** What outlives the connections of one persistent client: its subscriptions, and messages that it has not acknowledged. */
export class Session {
  readonly subscriptions = new Map<string, StoredSubscription>();
  readonly #kept: Kept[] = [];
  /** The connection that has it now. */
  client: AedesClient | null = null;
  /** Milliseconds of the monotonic clock: the end of its last connection. */
  offlineSince = 0;
  /** The feed had a hole while it was away: what it missed is not in its backlog. */
  hasMissed = false;
  #dropped = 0;

  /** @param count is told the bytes that are kept more, or less */
  constructor(
    readonly id: string,
    private readonly maxMessages: number,
    private readonly count: (bytes: number) => void = () => {},
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
  keep(shared: Shared): void {
    // The same message by another filter.
    if (this.#kept.at(-1)?.shared === shared) return;
    this.#kept.push({ shared, packet: shared.packet, messageId: null });
    this.count(ENTRY_BYTES + (shared.holders++ === 0 ? sizeOf(shared.packet) : 0));
    if (this.#kept.length > this.maxMessages) this.dropOldest();
  }

  /** Whether there was one to drop. */
  dropOldest(): boolean {
    const oldest = this.#kept.shift();
    if (!oldest) return false;
    this.#dropped++;
    this.#release(oldest);
    return true;
  }

  /** Lets go of every message. */
  clear(): void {
    for (const kept of this.#kept.splice(0)) this.#release(kept);
  }

  /** Notes the identifier under which a kept message is being sent. */
  sent(brokerCounter: number, messageId: number): void {
    const kept = this.#kept.findLast(({ packet }) => packet.brokerCounter === brokerCounter);
    if (kept) kept.messageId = messageId;
  }

  acknowledge(messageId: number): OutgoingPacket | undefined {
    const at = this.#kept.findIndex((kept) => kept.messageId === messageId);
    const [kept] = at < 0 ? [] : this.#kept.splice(at, 1);
    if (kept) this.#release(kept);
    return kept?.packet;
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

  #release({ shared }: Kept): void {
    this.count(-ENTRY_BYTES - (--shared.holders === 0 ? sizeOf(shared.packet) : 0));
  }
}

function sizeOf({ topic, payload }: OutgoingPacket): number {
  return topic.length + payload.length;
}
