import type { Principal } from './principal.js';

/** Whether credentials that were accepted still hold, beside what the records of access say. */
export interface CredentialStanding {
  /** Rises with every change that may end a credential. */
  readonly generation: number;
  /** No errors. */
  holds(principal: Principal): boolean;
  /** Calls `listener` after each change of `generation`, until the returned function is called. No errors. */
  onChange(listener: () => void): () => void;
}
