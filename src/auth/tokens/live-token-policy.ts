import { DEFAULT_POLICY, parseTokenPolicy, rulesOf, type PolicyProblem, type TokenPolicy } from './token-policy.js';
import type { TokenRules } from './token-rules.js';

/** The token policy that is in force on this node. A new one counts from the next question on, for all tenants at once. */
export class LiveTokenPolicy {
  #policy: TokenPolicy = DEFAULT_POLICY;

  get policy(): TokenPolicy {
    return this.#policy;
  }

  /** The rules of a tenant. No errors. */
  readonly rules = (tenant: string): TokenRules => rulesOf(this.#policy, tenant);

  /**
   * Puts a file in force, as a whole or not at all. No errors.
   * @param text null: there is no file; the defaults hold
   * @returns why it was refused, and the earlier policy goes on; empty: it is in force
   */
  replace(text: string | null): readonly PolicyProblem[] {
    const read = text === null ? DEFAULT_POLICY : parseTokenPolicy(text);
    if (!('rules' in read)) return read;
    this.#policy = read;
    return [];
  }
}
