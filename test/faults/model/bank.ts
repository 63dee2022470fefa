import { History } from './history.js';

/** What each account holds at first. */
export const OPENING = 100;

/** Shadows between which transactions move what they hold, so that all together always hold the same. */
export class BankHistory extends History {
  /** What all accounts held at one revision, as one transaction read them. */
  readonly audits: { readonly revision: number; readonly total: number }[] = [];
  /** Transactions that were acknowledged. */
  moved = 0;
  /** Answers that were those of an earlier try. */
  replayed = 0;

  constructor(readonly accounts: readonly string[]) {
    super();
  }

  get total(): number {
    return OPENING * this.accounts.length;
  }
}
