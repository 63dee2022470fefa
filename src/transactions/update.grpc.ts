import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { actorOf, AUDIT, type Audit } from '../access/audit.js';
import { CONFIG, type Config } from '../config/config.js';
import { echoToken } from '../errors/echo-token.js';
import { OF_WRITES, Rpc, sayRevision, type GrpcCall } from '../grpc/grpc-call.js';
import { callFingerprintOf, hasIdempotencyKey } from '../idempotency/idempotency-key.js';
import { IdempotentWrites } from '../idempotency/idempotent-writes.js';
import { sentBody } from '../idempotency/kept-answer.js';
import { sayCarried } from '../idempotency/message-answer.js';
import { GuardedTransactions } from './guarded-transactions.js';
import { OperationRefused } from './operation-refused.js';
import { parseTransaction } from './parse-transaction.js';
import { committedText } from './transaction-texts.js';
import type { TransactionRequest } from './transaction-request.js';
import type { TransactionCall } from './update.js';

interface TransactionMessage {
  readonly transaction: string;
}

type Call = GrpcCall<TransactionMessage>;

interface CommittedMessage {
  readonly revision: number;
  readonly result: string;
}

@Controller()
export class TransactionGrpc {
  constructor(
    @Inject(GuardedTransactions) private readonly guarded: GuardedTransactions,
    @Inject(IdempotentWrites) private readonly idempotent: IdempotentWrites,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(AUDIT) private readonly audit: Audit,
  ) {}

  /** Policies are asked for each operation. */
  @Rpc('Transactions', 'Update', () => null, OF_WRITES)
  @Action('transaction:update')
  async update(call: Call): Promise<CommittedMessage> {
    const { principal, address, deadline, signal, trace } = call;
    const body = parseTransaction(Buffer.from(call.request.transaction), this.config.limits);
    try {
      const target = { principal, address, deadline, signal, trace };
      const committing = hasIdempotencyKey(call) ? this.#once(call, target, body) : this.#commit(call, target, body);
      return await echoToken(body.clientToken, committing);
    } catch (error) {
      if (error instanceof OperationRefused && error.status === 403) this.#keep(error, call);
      throw error;
    }
  }

  async #commit(call: Call, target: TransactionCall, body: TransactionRequest): Promise<CommittedMessage> {
    const committed = await this.guarded.commit(call, target, body);
    const { revision } = committed.position;
    sayRevision(call, revision);
    return { revision, result: committedText(committed, body) };
  }

  async #once(call: Call, target: TransactionCall, body: TransactionRequest): Promise<CommittedMessage> {
    const write = this.guarded.once(call, target, body);
    const carried = await this.idempotent.carryOut(call, callFingerprintOf(call), write);
    sayCarried(call, carried);
    return { revision: carried.revision, result: sentBody(carried.answer, carried.revision) };
  }

  #keep({ code, authCode }: OperationRefused, { principal, address, requestId }: GrpcCall<unknown>): void {
    const actor = actorOf(principal);
    this.audit.record({
      ...{ action: 'transaction:update', actor, tenant: actor.tenant, target: '/umbra.v1.Transactions/Update' },
      ...{ address, outcome: 'refused', code: authCode ?? code, requestId },
    });
  }
}
