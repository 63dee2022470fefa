import type { Authorizer } from '../../../access/authorizer.js';
import type { Principal } from '../../../access/principal.js';

/** That a principal was allowed something, with what it was allowed for: a topic that is used again and again. */
export class RememberedDecision {
  #generation = -1;
  #principal: Principal | null = null;

  /** Whether it was allowed, and still is. A connection with a newer credential has another principal. No errors. */
  allows(authorizer: Authorizer, principal: Principal): boolean {
    if (this.#principal !== principal || this.#generation !== authorizer.generation) return false;
    return !authorizer.hasEnded(principal);
  }

  /** To be called when the authorizer has just allowed it. No errors. */
  keep(authorizer: Authorizer, principal: Principal): void {
    if (!authorizer.isLasting(principal)) return;
    this.#principal = principal;
    this.#generation = authorizer.generation;
  }

  /** What it was allowed by may have changed. No errors. */
  forget(): void {
    this.#generation = -1;
  }
}
