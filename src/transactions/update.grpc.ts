import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { actorOf, AUDIT, type Audit } from '../access/audit.js';
import { CONFIG, type Config } from '../config/config.js';
import { echoToken } from '../errors/echo-token.js';
import { Rpc, type GrpcCall } from '../grpc/grpc-call.js';
import { OperationRefused } from './operation-refused.js';
import { parseTransaction } from './parse-transaction.js';
import { committedText } from './transaction-texts.js';
import { CommitTransaction } from './update.js';

interface TransactionMessage {
  readonly transaction: string;
}

interface CommittedMessage {
  readonly revision: number;
  readonly result: string;
}

@Controller()
export class TransactionGrpc {
  constructor(
    @Inject(CommitTransaction) private readonly transactions: CommitTransaction,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(AUDIT) private readonly audit: Audit,
  ) {}

  /** Policies are asked for each operation. */
  @Rpc('Transactions', 'Update', () => null)
  @Action('transaction:update')
  async update(call: GrpcCall<TransactionMessage>): Promise<CommittedMessage> {
    const { principal, address, deadline, signal } = call;
    const body = parseTransaction(Buffer.from(call.request.transaction), this.config.limits);
    try {
      const committing = this.transactions.commit({ principal, address, deadline, signal }, body);
      const committed = await echoToken(body.clientToken, committing);
      return { revision: committed.position.revision, result: committedText(committed, body) };
    } catch (error) {
      if (error instanceof OperationRefused && error.status === 403) this.#keep(error, call);
      throw error;
    }
  }

  #keep({ code, authCode }: OperationRefused, { principal, address, requestId }: GrpcCall<unknown>): void {
    const actor = actorOf(principal);
    this.audit.record({
      ...{ action: 'transaction:update', actor, tenant: actor.tenant, target: '/umbra.v1.Transactions/Update' },
      ...{ address, outcome: 'refused', code: authCode ?? code, requestId },
    });
  }
}
