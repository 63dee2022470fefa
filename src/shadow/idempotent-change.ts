import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CallHead } from '../access/call-head.js';
import { IdempotentWrites, type Carried, type IdempotentWrite } from '../idempotency/idempotent-writes.js';
import type { Answer } from '../idempotency/kept-answer.js';
import type { Keyed } from '../idempotency/keyed.js';
import { hasLease, LeasedWrites } from '../leases/leased-writes.js';
import { SHADOW_STORE, type Change, type Changed, type Fence, type ShadowStore } from '../store/shadow-store.js';
import type { GuardedKey, Transacted } from '../store/transaction.js';
import type { ShadowCall } from './shadow-call.js';

/** Changes of one shadow whose requests have an Idempotency-Key; those without one go past this. */
@Injectable()
export class IdempotentChange {
  constructor(
    private readonly idempotent: IdempotentWrites,
    private readonly leases: LeasedWrites,
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
  ) {}

  /**
   * Carries the change out once, and sends the answer to it.
   * @param answerOf makes the answer, and is pure
   * @throws ServiceError as IdempotentWrites.answer
   */
  answer(
    request: FastifyRequest,
    reply: FastifyReply,
    call: ShadowCall,
    change: Change,
    answerOf: (made: Changed) => Answer,
  ): Promise<void> {
    return this.idempotent.answer(request, reply, this.#writeOf(request, call, change, answerOf));
  }

  /** As `answer`, for a door that sends it itself. @param fingerprint what makes two requests the same one */
  carryOut(
    head: CallHead,
    fingerprint: string,
    call: ShadowCall,
    change: Change,
    answerOf: (made: Changed) => Answer,
  ): Promise<Carried> {
    return this.idempotent.carryOut(head, fingerprint, this.#writeOf(head, call, change, answerOf));
  }

  /**
   * Carries one change of a request with many out once, or finds the answer to it.
   * @param answerOf as of `answer`
   * @throws ServiceError as IdempotentWrites.once
   */
  once(
    head: CallHead,
    keyed: Keyed,
    call: ShadowCall,
    change: Change,
    answerOf: (made: Changed) => Answer,
  ): Promise<Carried> {
    return this.idempotent.once(keyed, this.#writeOf(head, call, change, answerOf));
  }

  #writeOf(
    head: CallHead,
    { key, deadline, signal }: ShadowCall,
    change: Change,
    answerOf: (made: Changed) => Answer,
  ): IdempotentWrite {
    const transact = (answer: GuardedKey, fence?: Fence): Promise<Transacted> =>
      this.store.transact(
        { keys: [key], change: ([current]) => [change(current ?? null)], guarded: [answer] },
        { deadline, fence, signal },
      );
    return {
      answer: ([made]) => answerOf(made!),
      transact: (answer) =>
        hasLease(head) ? this.leases.under(head, [key.thing], (fence) => transact(answer, fence)) : transact(answer),
    };
  }
}
