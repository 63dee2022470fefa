import type { Principal } from '../../../access/principal.js';
import type { Clock } from '../../../resilience/clock.js';
import type { Acknowledgement } from '../../request-queue.js';
import { Chain } from '../connections/chain.js';
import { IncomingRequest, Route, type RequestHandler, type RequestOwner } from '../connections/incoming-request.js';
import type { MemoryBudget } from './memory-budget.js';
import type { Session } from './session.js';
import { willBytes, type Will } from './will.js';

/** Wills that are carried out at once: thousands of clients may go in one moment. */
const MAX_AT_ONCE = 100;
const SWEEP_MS = 1000;

/**
 * The wills of clients that have gone without a word. A will on a request topic acts as that request; others are dropped.
 * A delayed will waits with its session: it is dropped when the client comes back, and due when the session ends.
 */
export class Wills {
  readonly #delayed = new Set<Session>();
  readonly #due = new Chain<IncomingRequest>();
  #running = 0;
  #isStarting = false;
  #sweep: NodeJS.Timeout | null = null;
  /** The node ends: its clients go on elsewhere, and nobody must be told that they are gone. */
  #isClosed = false;

  /** @param forward tells those who are subscribed to request topics of a will that was carried out */
  constructor(
    private readonly clock: Clock,
    private readonly budget: MemoryBudget,
    private readonly handle: RequestHandler,
    private readonly forward: (request: IncomingRequest) => void,
  ) {}

  start(): void {
    this.#sweep ??= setInterval(() => this.fireDue(), SWEEP_MS).unref();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#sweep) clearInterval(this.#sweep);
    for (const session of this.#delayed) this.drop(session);
  }

  /** A connection with this will has ended ungracefully. Its session is ended, taken over, or without a connection now. */
  left(session: Session, will: Will): void {
    if (will.delay === 0 || session.isEnded) return this.#fire(session, will);
    if (session.connection !== null) return this.budget.add(-willBytes(will));
    session.will = will;
    this.#delayed.add(session);
  }

  /** The client is back, or said goodbye (MQTT-3.1.3-9). */
  drop(session: Session): void {
    const will = this.#takeFrom(session);
    if (will !== null) this.budget.add(-willBytes(will));
  }

  /** The node itself sends the client elsewhere: nobody must be told that it is gone. No errors. */
  forgo(connection: { will: Will | null }): void {
    const { will } = connection;
    connection.will = null;
    if (will !== null) this.budget.add(-willBytes(will));
  }

  ended(session: Session): void {
    const will = this.#takeFrom(session);
    if (will !== null) this.#fire(session, will);
  }

  /** Fires the wills whose delay is over. */
  fireDue(): void {
    const now = this.clock.monotonic();
    for (const session of this.#delayed) {
      if (now - session.offlineSince >= (session.will?.delay ?? 0) * 1000) this.ended(session);
    }
  }

  #takeFrom(session: Session): Will | null {
    const { will } = session;
    session.will = null;
    this.#delayed.delete(session);
    return will;
  }

  #fire({ id, principal, address }: Session, will: Will): void {
    const { topic, payload, qos } = will;
    const route = new Route(topic, principal.tenant);
    if (route.request === null || this.#isClosed) return this.budget.add(-willBytes(will));
    const owner = new WillOwner(id, principal, address, (each) => this.#settled(each, will));
    this.#due.push(new IncomingRequest(owner, route, payload, qos, 0, true));
    this.#start();
  }

  #start(): void {
    // A will that ends as it begins comes here again: thousands of them within one another would use up the stack.
    if (this.#isStarting) return;
    this.#isStarting = true;
    try {
      while (this.#running < MAX_AT_ONCE) {
        const request = this.#due.shift();
        if (request === null) return;
        this.#running++;
        this.handle(request);
      }
    } finally {
      this.#isStarting = false;
    }
  }

  #settled(request: IncomingRequest, will: Will): void {
    this.#running--;
    this.budget.add(-willBytes(will));
    if (request.outcome === 'done' && request.route.request?.problem === null) this.forward(request);
    this.#start();
  }
}

class WillOwner implements RequestOwner {
  constructor(
    readonly clientId: string,
    readonly principal: Principal,
    /** Of the connection that has gone: a will is allowed where it was made. */
    readonly address: string,
    private readonly done: (request: IncomingRequest) => void,
  ) {}

  settled(request: IncomingRequest, _how: Acknowledgement): void {
    this.done(request);
  }

  /** Nobody waits for it: who has settled the request logs the error. */
  fail(error: unknown): void {
    throw error;
  }
}
