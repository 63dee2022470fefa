import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { AUDIT, type Audit } from '../access/audit.js';
import { CONFIG, type Config } from '../config/config.js';
import { echoToken } from '../errors/echo-token.js';
import type { ServiceError } from '../errors/service-error.js';
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
import { GuardedTransactions } from './guarded-transactions.js';
import { OperationRefused } from './operation-refused.js';
import { parseTransaction } from './parse-transaction.js';
import { committedText, refusedMembers } from './transaction-texts.js';
import { MAX_REQUEST_BYTES, type TransactionRequest } from './transaction-request.js';
import { transact } from './transactions.openapi.js';
import { CommitTransaction, type TransactionCall } from './update.js';

@Controller('v1/transactions')
export class TransactionController {
  readonly #audit: RequestAudit;

  constructor(
    private readonly transactions: CommitTransaction,
    private readonly guarded: GuardedTransactions,
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
    const { principal, deadline, trace, ip: address } = request;
    const call = { principal, deadline, trace, address };
    const body = parseTransaction(bodyOf(request), this.config.limits);
    try {
      if (hasIdempotencyKey(request)) return await echoToken(body.clientToken, this.#once(request, reply, call, body));
      const committed = await echoToken(body.clientToken, this.guarded.commit(request, call, body));
      sayRevision(reply, committed.position.revision);
      sendJsonText(reply, committedText(committed, body));
    } catch (error) {
      throw error instanceof OperationRefused ? this.#problem(error, call, request) : error;
    }
  }

  /** As the commit, and the answer is kept for the next request with this Idempotency-Key, or found. */
  async #once(
    request: FastifyRequest,
    reply: FastifyReply,
    call: TransactionCall,
    body: TransactionRequest,
  ): Promise<void> {
    await this.idempotent.answer(request, reply, this.guarded.once(request, call, body));
  }

  /** Shows the shadow that an operation was refused on to who may read it. */
  #problem(error: OperationRefused, call: TransactionCall, request: FastifyRequest): ServiceError {
    if (error.status === 403) this.#audit.refused(request, 'transaction:update', error, true);
    return new ProblemError(error, refusedMembers(error, this.transactions.mayRead(call, error.on)));
  }
}
