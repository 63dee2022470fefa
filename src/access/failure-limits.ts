import type { Identity } from './authenticator.js';

/** Slows down those who guess, and nobody else: what they get is only another refusal. */
export interface FailureLimits {
  /**
   * Counts what came of a credential. No errors.
   * @param address IP address of who has shown it
   * @param claimed whom it should prove; null: it does not say
   * @returns `identity`, or that there were too many failures from there, or for whom it should prove
   */
  counted(identity: Identity, address: string, claimed: string | null): Identity;
}
