import { ANONYMOUS } from '../../../access/principal.js';
import { isSeveral, minus, plus, someOf, type Few } from '../subscriptions/few.js';
import { AwaySessions } from './away-sessions.js';
import { BudgetShare, type MemoryBudget } from './memory-budget.js';
import type { Session } from './session.js';

/** The sessions of one tenant on this node. */
export class TenantSessions {
  /** By client identifier. */
  readonly byId = new Map<string, Session>();
  /** Those without a connection, the longest gone first. */
  readonly away = new AwaySessions();
  /** What they make the node keep. */
  readonly memory: BudgetShare;
  /** Those that outlive their connections. */
  persistent = 0;
  readonly #byPrincipal = new Map<string, Few<Session>>();

  constructor(budget: MemoryBudget) {
    this.memory = new BudgetShare(budget);
  }

  add(session: Session): void {
    this.byId.set(session.id, session);
    const { principal } = session;
    // Without authentication all are of one, whom nobody counts.
    if (principal !== ANONYMOUS)
      this.#byPrincipal.set(principal.id, plus(this.#byPrincipal.get(principal.id) ?? null, session));
  }

  delete(session: Session): void {
    const { id } = session.principal;
    this.byId.delete(session.id);
    this.away.delete(session);
    const left = minus(this.#byPrincipal.get(id) ?? null, session);
    if (left === null) this.#byPrincipal.delete(id);
    else this.#byPrincipal.set(id, left);
  }

  countOf(principal: string): number {
    const own = this.#byPrincipal.get(principal) ?? null;
    if (!isSeveral(own)) return own === null ? 0 : 1;
    return own instanceof Set ? own.size : own.length;
  }

  /** The session of a principal whose client is away longest; null: all are connected. */
  longestAwayOf(principal: string): Session | null {
    let longest: Session | null = null;
    someOf(this.#byPrincipal.get(principal) ?? null, (each) => {
      if (each.isAway && (longest === null || each.offlineSince < longest.offlineSince)) longest = each;
      return false;
    });
    return longest;
  }
}
