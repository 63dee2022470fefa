import type { Authorizer } from '../../../access/authorizer.js';
import type { Logger } from '../../../telemetry/logger.js';
import { REASON } from '../packets/reason-codes.js';
import type { Session } from '../sessions/session.js';
import type { SessionStore } from '../sessions/session-store.js';
import type { SubscribeGate } from './subscribe-gate.js';

/** Sessions that are judged in one turn of the loop. */
const AT_ONCE = 200;
/** Milliseconds between two rounds: whoever changes a thousand records a second must not have the node do nothing else. */
const PAUSE_MS = 100;
/** Milliseconds after which an expired credential ends its connection, at most, beside the time of one judgement. */
const EXPIRY_MS = 5_000;

/**
 * Judges connections and sessions again when policies or credentials change. Until a session's turn has come, each of its
 * messages is decided anew, since doors remember decisions for one generation only.
 */
export class AccessReview {
  #running: IterableIterator<Session> | null = null;
  /** A change has come while the sessions were judged: they are judged once more. */
  #isAgain = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #off: () => void = () => undefined;

  constructor(
    private readonly sessions: SessionStore,
    private readonly gate: SubscribeGate,
    private readonly authorizer: Authorizer,
    /** Whether policies let a session have messages of this topic. */
    private readonly mayGet: (session: Session, topic: string) => boolean,
    private readonly logger: Logger,
  ) {}

  start(): void {
    if (!this.authorizer.isRequired) return;
    this.#off = this.authorizer.onChange(() => this.#begin());
    // Nothing changes when a credential expires.
    this.#timer = setInterval(() => this.#begin(), EXPIRY_MS).unref();
  }

  stop(): void {
    this.#isStopped = true;
    this.#off();
    clearInterval(this.#timer);
    clearTimeout(this.#pause);
  }

  /**
   * To be called before a session that was away goes on: at another address, with other credentials, or before its turn
   * has come, it may have less than it had.
   */
  resumed(session: Session): void {
    if (this.authorizer.isRequired) this.#takeBack(session);
  }

  #begin(): void {
    if (this.#running !== null) this.#isAgain = true;
    else {
      this.#running = this.sessions.all();
      setImmediate(this.#turn);
    }
  }

  readonly #turn = (): void => {
    if (this.#isStopped || this.#running === null) return;
    for (let n = 0; n < AT_ONCE; n++) {
      const next = this.#running.next();
      if (next.done) return this.#ended();
      this.#judge(next.value);
    }
    setImmediate(this.#turn);
  };

  #ended(): void {
    this.#running = null;
    if (!this.#isAgain) return;
    this.#isAgain = false;
    this.#pause = setTimeout(() => this.#begin(), PAUSE_MS).unref();
  }

  #judge(session: Session): void {
    const { principal, id: clientId, connection } = session;
    if (!this.#mayStay(session)) {
      this.logger.info({ clientId, principal: principal.id, reason: 'access-withdrawn' }, 'client disconnected');
      connection?.end(REASON.notAuthorized, 'access withdrawn');
      return this.sessions.withdraw(session);
    }
    this.#takeBack(session);
  }

  /** What waits for a session that is away is judged when it comes back. */
  #takeBack(session: Session): void {
    const { principal, id: clientId, connection } = session;
    if (connection !== null && session.withhold((topic) => this.mayGet(session, topic)) > 0)
      this.logger.info({ clientId, principal: principal.id, reason: 'access-withdrawn' }, 'messages withheld');
    for (const { filter } of session.granted) {
      if (this.gate.admits(session, filter)) continue;
      this.sessions.unsubscribe(session, filter);
      this.logger.info({ clientId, principal: principal.id, reason: 'access-withdrawn' }, 'subscription ended');
    }
  }

  #mayStay({ principal, id: clientId, address, connect }: Session): boolean {
    if (!this.authorizer.isActive(principal)) return false;
    return this.authorizer.allows(principal, 'iot:Connect', `client/${clientId}`, { clientId, address, connect });
  }
}
