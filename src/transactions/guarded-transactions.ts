import { Injectable } from '@nestjs/common';
import type { CallHead } from '../access/call-head.js';
import { ServiceError } from '../errors/service-error.js';
import type { IdempotentWrite } from '../idempotency/idempotent-writes.js';
import { hasLease, LeasedWrites } from '../leases/leased-writes.js';
import { transactionAnswer } from './transaction-texts.js';
import { changedBy, type TransactionRequest } from './transaction-request.js';
import { CommitTransaction, type Basis, type Committed, type TransactionCall } from './update.js';

/** Transactions under a lease or with an Idempotency-Key, for every door. */
@Injectable()
export class GuardedTransactions {
  constructor(
    private readonly transactions: CommitTransaction,
    private readonly leases: LeasedWrites,
  ) {}

  /**
   * Commits under the lease of the request, if it has one. A lease is only about what is written.
   * @throws as CommitTransaction.commit and LeasedWrites.under
   */
  commit(head: CallHead, call: TransactionCall, body: TransactionRequest): Promise<Committed> {
    if (!hasLease(head)) return this.transactions.commit(call, body);
    const things = new Set(body.operations.flatMap(changedBy).map(({ thing }) => thing));
    return this.leases.under(head, [...things], (fence) => this.transactions.commit({ ...call, fence }, body));
  }

  /**
   * As `commit`, as a write that is carried out once. Its answer is the text of HTTP.
   * @throws OperationRefused for what the caller may not do; ServiceError invalidRequest
   */
  once(head: CallHead, call: TransactionCall, body: TransactionRequest): IdempotentWrite {
    // Else whoever may only read could fill the storage with answers.
    if (body.operations.every(({ op }) => op === 'check'))
      throw new ServiceError('invalidRequest', 'A transaction that only checks takes no Idempotency-Key');
    // A kept answer has documents too, and may be found before the commit asks.
    this.transactions.checkAllowed(call, body);
    let basis: Basis = { shadows: [], states: [] };
    const see = (before: Basis): void => void (basis = before);
    return {
      answer: (made) => {
        const { shadows, states } = basis;
        // What is only checked stays as it was.
        const after = shadows.map((_, i) => made[i]?.state ?? states[i] ?? null);
        return transactionAnswer(shadows, after, body);
      },
      transact: (answer) => this.commit(head, { ...call, guarded: [answer], see }, body),
    };
  }
}
