import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CallHead } from '../access/call-head.js';
import type { ServiceErrorCode } from '../errors/error-table.js';
import { ServiceError } from '../errors/service-error.js';
import { sayRevision } from '../http/revision.js';
import { sendJsonText } from '../http/send-json.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { CLUSTER_KEYS, type ClusterKeys } from '../store/cluster-keys.js';
import type { Changed } from '../store/shadow-store.js';
import { GuardedLeaseGone, GuardFailed, type GuardedKey, type Transacted } from '../store/transaction.js';
import { AnswerCounts, type AnswerBounds } from './answer-counts.js';
import { A_DAY, AnswerLeases, MINUTES } from './answer-leases.js';
import { fingerprintOf, placeOf } from './idempotency-key.js';
import { boundsOf, BRIEF_REQUESTS, LINES, REQUESTS, type Keyed } from './keyed.js';
import { keptAnswer, keptText, sentBody, type Answer } from './kept-answer.js';

/** Leases of answers that may turn out to be gone, one after the other, before a request fails. */
const MAX_LEASES = 3;
/** Refusals that may come before it is seen that the request was carried out. */
const EARLY: ReadonlySet<ServiceErrorCode> = new Set([
  ...(['fenced', 'leaseEnded', 'leaseNotYours', 'leaseNotCovering', 'leaseExclusive'] as const),
  ...(['storageFull', 'tooManyRequests', 'tooLarge'] as const),
]);

/** A write that is carried out once, however often its request comes. */
export interface IdempotentWrite {
  /**
   * The answer to a change, as it is sent and kept. Pure.
   * @param made what the change has made of each shadow; null: it left it alone
   */
  answer(made: readonly (Changed | null)[]): Answer;
  /**
   * Writes in one transaction that has `answer` among its guarded keys.
   * @throws as ShadowStore.transact
   */
  transact(answer: GuardedKey): Promise<Transacted>;
}

/** A revision, and what was answered to the request that was committed there. */
export interface Carried {
  readonly answer: Answer;
  readonly revision: number;
  readonly isReplayed: boolean;
}

/**
 * Writes with an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header). The answer is put in the transaction that
 * writes, on condition that none is there: so a request is carried out once, and its repetition gets the first answer
 * through any node, whatever became of the first. A request that comes again while the first is under way waits in the
 * line of its shadow, and gets the same answer.
 */
@Injectable()
export class IdempotentWrites {
  readonly #kinds: ReadonlyMap<AnswerBounds, { readonly counts: AnswerCounts; readonly leases: AnswerLeases }>;

  constructor(
    @Inject(CLUSTER_KEYS) private readonly keys: ClusterKeys,
    @Inject(CLOCK) clock: Clock,
  ) {
    const leases = new Map([A_DAY, MINUTES].map((each) => [each, new AnswerLeases(keys, clock, each)]));
    const kindOf = (bounds: AnswerBounds) =>
      [bounds, { counts: new AnswerCounts(keys, clock, bounds), leases: leases.get(bounds.retention)! }] as const;
    this.#kinds = new Map([REQUESTS, BRIEF_REQUESTS, LINES].map(kindOf));
  }

  /**
   * Carries a request out, or finds the answer to it, and sends that.
   * @throws ServiceError invalidRequest for a bad key; as `once`
   */
  async answer(request: FastifyRequest, reply: FastifyReply, write: IdempotentWrite): Promise<void> {
    const { answer, revision, isReplayed } = await this.carryOut(request, fingerprintOf(request), write);
    if (isReplayed) void reply.header('idempotent-replayed', 'true');
    sayRevision(reply, revision);
    void reply.code(answer.status).headers(answer.headers);
    sendJsonText(reply, sentBody(answer, revision));
  }

  /**
   * Carries a request out, or finds the answer to it, for a door that sends that itself.
   * @param fingerprint what makes two requests the same one
   * @throws ServiceError invalidRequest for a bad key; as `once`
   */
  async carryOut(head: CallHead, fingerprint: string, write: IdempotentWrite): Promise<Carried> {
    const place = placeOf(head);
    return this.once({ tenant: head.principal.tenant, place, fingerprint, bounds: boundsOf(head) }, write);
  }

  /**
   * Carries out what has a key, or finds the answer to it.
   * @throws ServiceError idempotencyKeyReused; tooManyRequests; what `write` throws, after which no answer is kept
   */
  async once(keyed: Keyed, write: IdempotentWrite): Promise<Carried> {
    try {
      return await this.#carryOut(keyed, write);
    } catch (error) {
      if (!(error instanceof ServiceError && EARLY.has(error.code))) throw error;
      const stored = await this.keys.get(keyed.place);
      if (stored === null) throw error;
      return replayed(stored, keyed.fingerprint);
    }
  }

  async #carryOut({ tenant, place, fingerprint, bounds }: Keyed, write: IdempotentWrite): Promise<Carried> {
    const { counts, leases } = this.#kinds.get(bounds)!;
    await counts.check(tenant);
    for (let lost = 1; ; lost++) {
      const lease = await leases.acquire();
      const value = (made: readonly (Changed | null)[]): string => keptText({ ...write.answer(made), fingerprint });
      try {
        const { position, records } = await write.transact({ key: place, revision: null, put: { value, lease } });
        const answer = write.answer(records);
        counts.add(tenant, Buffer.byteLength(answer.body));
        return { answer, revision: position.revision, isReplayed: false };
      } catch (error) {
        if (error instanceof GuardFailed && error.key === place) return replayed(error.current, fingerprint);
        if (!(error instanceof GuardedLeaseGone)) throw error;
        leases.forget(lease);
        if (lost === MAX_LEASES) throw new ServiceError('storageUnavailable');
      }
    }
  }
}

/** @throws ServiceError idempotencyKeyReused */
function replayed(stored: GuardFailed['current'], fingerprint: string): Carried {
  // The key must not exist, so what is in its way does.
  const { value, revision } = stored!;
  const answer = keptAnswer(value);
  if (answer.fingerprint !== fingerprint) throw new ServiceError('idempotencyKeyReused');
  return { answer, revision, isReplayed: true };
}
