import type { ConnectFacts } from '../../../access/authorizer.js';
import type { Principal } from '../../../access/principal.js';
import { Chain } from '../connections/chain.js';
import type { Connection } from '../connections/connection.js';
import type { GrantedFilter } from '../subscriptions/granted-filter.js';
import type { MemoryBudget } from './memory-budget.js';
import type { Outgoing, SharedMessage } from './message.js';
import type { Will } from './will.js';

/** Bytes of one kept message in the queue of a session beside the message itself, about. */
const ENTRY_BYTES = 96;
const LAST_ID = 65_535;
/** Shared by all sessions without a filter. */
const NO_FILTERS: readonly GrantedFilter[] = [];

/**
 * What MQTT calls the session of a client: its filters, and the messages on their way to it. Every connection has one. With
 * an expiry it outlives the connection, and keeps messages of QoS 1 until they are acknowledged.
 *
 * `waiting` was not sent on the present connection; `inFlight` was, with QoS 1, and is not acknowledged.
 */
export class Session {
  /** The connection that has it now. */
  connection: Connection | null = null;
  /** IP address of the connection that it has, or had last: what is decided while it has none is decided by that. */
  address = '';
  /** Milliseconds of the monotonic clock: the end of its last connection. */
  offlineSince = 0;
  /** The feed had a hole while it was away: what it missed is not in its queue. */
  hasMissed = false;
  isEnded = false;
  /** Of its last CONNECT. */
  connect: ConnectFacts | undefined = undefined;
  /** Whether it is among AwaySessions, and its neighbours there; null: there is none. */
  isAway = false;
  goneBefore: Session | null = null;
  goneAfter: Session | null = null;
  /** 0: it ends with its connection. */
  expirySeconds = 0;
  /** The will of a connection that has ended, while it is delayed. */
  will: Will | null = null;
  granted: readonly GrantedFilter[] = NO_FILTERS;
  #waiting: Chain<Outgoing> | null = null;
  #inFlight: Chain<Outgoing> | null = null;
  /** Messages that it keeps. */
  #kept = 0;
  #dropped = 0;
  #backlogBytes = 0;
  #lastId = 0;

  constructor(
    readonly id: string,
    public principal: Principal,
    private readonly maxMessages: number,
    private readonly budget: Pick<MemoryBudget, 'add'>,
  ) {}

  /** Messages that it keeps. */
  get kept(): number {
    return this.#kept;
  }

  /** What is to be sent next on the present connection. */
  get first(): Outgoing | null {
    return this.#waiting?.first ?? null;
  }

  /** Messages of QoS 1 that were sent on the present connection and not acknowledged. */
  get inFlight(): number {
    return this.#inFlight?.size ?? 0;
  }

  /** Bytes that wait for the present connection; what was kept for it before it came does not count. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  grantedFor(filter: string): GrantedFilter | undefined {
    return this.granted.find((each) => each.filter === filter);
  }

  /** Messages that had to go since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Queues a message, which goes with the present connection. */
  queue(outgoing: Outgoing): void {
    (this.#waiting ??= new Chain()).push(outgoing);
    this.#count(outgoing);
  }

  /** Queues a message that outlives the connection. Whether the oldest had to go, because there are too many. */
  keep(outgoing: Outgoing, message: SharedMessage): boolean {
    outgoing.kept = true;
    this.#kept++;
    this.budget.add(ENTRY_BYTES + (message.holders++ === 0 ? message.size : 0));
    // Behind what was kept before the connection came, it waits for nothing that the client could take.
    const isReplaying = this.first !== null && !this.first.counted;
    (this.#waiting ??= new Chain()).push(outgoing);
    if (this.connection !== null && !isReplaying) this.#count(outgoing);
    return this.#kept > this.maxMessages && this.dropOldest();
  }

  /** Keeps the oldest message no longer: a connected client still gets it. Whether there was one. */
  dropOldest(): boolean {
    const sent = this.#firstKept(this.#inFlight);
    const oldest = sent ?? this.#firstKept(this.#waiting);
    if (oldest === null) return false;
    this.#dropped++;
    this.#release(oldest);
    if (sent !== null) oldest.message = null;
    else if (this.connection === null) this.#waiting?.take((each) => each === oldest);
    else this.#count(oldest);
    return true;
  }

  /** The packet identifier for the next new message; 0: it is still in flight, and the next message must wait. */
  nextId(): number {
    const id = (this.#lastId % LAST_ID) + 1;
    // Identifiers are given out in order, so the oldest is the first that comes again.
    if (this.#inFlight?.first?.id === id) return 0;
    this.#lastId = id;
    return id;
  }

  /** The first of the queue was written: with QoS 1 it is in flight from now on. */
  sent(): void {
    const outgoing = this.#take();
    if (outgoing === null || outgoing.id === 0) return;
    // Nobody asks again for what is not kept: the identifier alone is in flight.
    if (!outgoing.kept) outgoing.message = null;
    (this.#inFlight ??= new Chain()).push(outgoing);
  }

  /** The first of the queue cannot be sent, and goes. */
  skip(): void {
    const outgoing = this.#take();
    if (outgoing !== null) this.#release(outgoing);
  }

  /** Whether that identifier was in flight. */
  acknowledge(id: number): boolean {
    const outgoing = this.#inFlight?.take((each) => each.id === id) ?? null;
    if (outgoing === null) return false;
    this.#release(outgoing);
    return true;
  }

  /**
   * The connection has ended. What it was sent and has not acknowledged comes first on the next one, under its identifier
   * (MQTT-4.4.0-1). What is not kept is gone.
   */
  detach(): void {
    const before = [this.#inFlight, this.#waiting];
    this.#inFlight = null;
    this.#waiting = null;
    this.#backlogBytes = 0;
    this.connection = null;
    for (const chain of before) {
      for (let each = chain?.shift(); each; each = chain?.shift()) {
        each.counted = false;
        if (each.kept) (this.#waiting ??= new Chain<Outgoing>()).push(each);
      }
    }
  }

  /** Lets go of the messages that wait and are not to be sent any more. @returns how many there were */
  withhold(mayGet: (topic: string) => boolean): number {
    const all = this.#waiting;
    let withheld = 0;
    this.#waiting = null;
    for (let each = all?.shift(); each; each = all?.shift()) {
      if (each.message === null || mayGet(each.message.topic)) (this.#waiting ??= new Chain()).push(each);
      else {
        this.#uncount(each);
        this.#release(each);
        withheld++;
      }
    }
    return withheld;
  }

  /** Lets go of every message. */
  clear(): void {
    for (const chain of [this.#inFlight, this.#waiting]) for (const each of chain ?? []) this.#release(each);
    this.#inFlight = null;
    this.#waiting = null;
    this.#backlogBytes = 0;
  }

  #take(): Outgoing | null {
    const outgoing = this.#waiting?.shift() ?? null;
    if (outgoing !== null) this.#uncount(outgoing);
    return outgoing;
  }

  #uncount(outgoing: Outgoing): void {
    if (!outgoing.counted) return;
    outgoing.counted = false;
    this.#backlogBytes -= outgoing.message?.size ?? 0;
  }

  #count(outgoing: Outgoing): void {
    if (outgoing.counted) return;
    outgoing.counted = true;
    this.#backlogBytes += outgoing.message?.size ?? 0;
  }

  #firstKept(chain: Chain<Outgoing> | null): Outgoing | null {
    for (const each of chain ?? []) if (each.kept) return each;
    return null;
  }

  #release(outgoing: Outgoing): void {
    const { message } = outgoing;
    if (!outgoing.kept || message === null) return;
    outgoing.kept = false;
    this.#kept--;
    this.budget.add(-ENTRY_BYTES - (--message.holders === 0 ? message.size : 0));
  }
}
