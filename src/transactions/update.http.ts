import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { AUDIT, type Audit } from '../access/audit.js';
import { CONFIG, type Config } from '../config/config.js';
import { echoToken } from '../errors/echo-token.js';
import { ServiceError } from '../errors/service-error.js';
import { bodyOf } from '../http/caller.js';
import { withoutConditions } from '../http/conditions.js';
import { Describe } from '../http/openapi/describe.js';
import { ProblemError } from '../http/problem-error.js';
import { RequestAudit } from '../http/request-audit.js';
import { sayRevision } from '../http/revision.js';
import { sendJsonText } from '../http/send-json.js';
import { Direct } from '../http/server/direct-handlers.js';
import { LargeBody } from '../http/server/large-body.js';
import { hasIdempotencyKey } from '../idempotency/idempotency-key.js';
import { IdempotentWrites } from '../idempotency/idempotent-writes.js';
import { hasLease, LeasedWrites } from '../leases/leased-writes.js';
import { OperationRefused } from './operation-refused.js';
import { parseTransaction } from './parse-transaction.js';
import { committedText, refusedMembers, transactionAnswer } from './transaction-texts.js';
import { changedBy, MAX_REQUEST_BYTES, type TransactionRequest } from './transaction-request.js';
import { transact } from './transactions.openapi.js';
import { CommitTransaction, type Basis, type Committed, type TransactionCall } from './update.js';

@Controller('v1/transactions')
export class TransactionController {
  readonly #audit: RequestAudit;

  constructor(
    private readonly transactions: CommitTransaction,
    private readonly leases: LeasedWrites,
    private readonly idempotent: IdempotentWrites,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(AUDIT) audit: Audit,
  ) {
    this.#audit = new RequestAudit(audit);
  }

  @Post()
  @Direct()
  @HttpCode(200)
  @LargeBody(MAX_REQUEST_BYTES)
  @Action('transaction:update')
  @Describe(transact)
  async update(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    withoutConditions(request);
    const { principal, deadline, ip: address } = request;
    const call = { principal, deadline, address };
    const body = parseTransaction(bodyOf(request), this.config.limits);
    try {
      if (hasIdempotencyKey(request)) return await echoToken(body.clientToken, this.#once(request, reply, call, body));
      const committed = await echoToken(body.clientToken, this.#commit(request, call, body));
      sayRevision(reply, committed.position.revision);
      sendJsonText(reply, committedText(committed, body));
    } catch (error) {
      throw error instanceof OperationRefused ? this.#problem(error, call, request) : error;
    }
  }

  /** A lease is only about what is written. */
  #commit(request: FastifyRequest, call: TransactionCall, body: TransactionRequest): Promise<Committed> {
    if (!hasLease(request)) return this.transactions.commit(call, body);
    const things = new Set(body.operations.flatMap(changedBy).map(({ thing }) => thing));
    return this.leases.under(request, [...things], (fence) => this.transactions.commit({ ...call, fence }, body));
  }

  /** As #commit, and the answer is kept for the next request with this Idempotency-Key, or found. */
  async #once(
    request: FastifyRequest,
    reply: FastifyReply,
    call: TransactionCall,
    body: TransactionRequest,
  ): Promise<void> {
    // Else whoever may only read could fill the storage with answers.
    if (body.operations.every(({ op }) => op === 'check'))
      throw new ServiceError('invalidRequest', 'A transaction that only checks takes no Idempotency-Key');
    // A kept answer has documents too, and may be found before the commit asks.
    this.transactions.checkAllowed(call, body);
    let basis: Basis = { shadows: [], states: [] };
    const see = (before: Basis): void => void (basis = before);
    return this.idempotent.answer(request, reply, {
      answer: (made) => {
        const { shadows, states } = basis;
        // What is only checked stays as it was.
        const after = shadows.map((_, i) => made[i]?.state ?? states[i] ?? null);
        return transactionAnswer(shadows, after, body);
      },
      transact: (answer) => this.#commit(request, { ...call, guarded: [answer], see }, body),
    });
  }

  /** Shows the shadow that an operation was refused on to who may read it. */
  #problem(error: OperationRefused, call: TransactionCall, request: FastifyRequest): ServiceError {
    if (error.status === 403) this.#audit.refused(request, 'transaction:update', error, true);
    return new ProblemError(error, refusedMembers(error, this.transactions.mayRead(call, error.on)));
  }
}
