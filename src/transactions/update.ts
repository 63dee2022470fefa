import { Inject, Injectable } from '@nestjs/common';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import type { PolicyAction } from '../access/policy-action.js';
import type { Principal } from '../access/principal.js';
import { RATE_LIMITS, type RateLimits } from '../access/rate-limits.js';
import { refusalOf } from '../access/refusal.js';
import { CONFIG, type Config } from '../config/config.js';
import type { ShadowState } from '../document/shadow-document.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { SHADOW_STORE, type RequestOptions, type ShadowKey, type ShadowStore } from '../store/shadow-store.js';
import type { GuardedKey, Transacted } from '../store/transaction.js';
import { applyOperations } from './apply-operations.js';
import { OperationRefused } from './operation-refused.js';
import { placesOf } from './parse-transaction.js';
import { SchemaSteps } from './schema-steps.js';
import { placeName, type ShadowPlace, type TransactionOperation } from './transaction-request.js';
import type { TransactionRequest } from './transaction-request.js';

/** What a transaction gets from its door, apart from the request. */
export interface TransactionCall extends RequestOptions {
  readonly principal: Principal;
  /** IP address of the peer, for policies. */
  readonly address: string;
  /** Keys beside the shadows that are guarded and put with them. */
  readonly guarded?: readonly GuardedKey[];
  /** Is told what each attempt is computed on, just before. */
  readonly see?: (basis: Basis) => void;
}

/** Shadows as they are before a transaction. */
export interface Basis {
  readonly shadows: readonly ShadowPlace[];
  readonly states: readonly (ShadowState | null)[];
}

/** A committed transaction, with the shadows that it names. */
export interface Committed extends Transacted {
  readonly shadows: readonly ShadowPlace[];
}

/** What each operation asks of its shadow. Conditions and staged documents are read, so they ask for a get. */
const CHANGES: Readonly<Record<TransactionOperation['op'], PolicyAction>> = {
  update: 'iot:UpdateThingShadow',
  replace: 'iot:UpdateThingShadow',
  promote: 'iot:UpdateThingShadow',
  delete: 'iot:DeleteThingShadow',
  check: 'iot:GetThingShadow',
};

/** Changes several shadows as one. The answers to subscribers come from the feed, never from here. */
@Injectable()
export class CommitTransaction {
  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
    @Inject(RATE_LIMITS) private readonly limits: RateLimits,
  ) {}

  /**
   * All operations, or none.
   * @throws OperationRefused; ServiceError rateExceeded; what the store throws
   */
  async commit(call: TransactionCall, request: TransactionRequest): Promise<Committed> {
    this.checkAllowed(call, request);
    const { operations, clientToken } = request;
    const shadows = [...new Map(operations.flatMap(placesOf).map((place) => [placeName(place), place])).values()];
    this.#count(call.principal, shadows);
    const { tenant, id: principal } = call.principal;
    const steps = new SchemaSteps();
    // One clock reading for the whole transaction.
    const context = {
      ...{ now: this.clock.now(), limits: this.config.limits, principal, clientToken },
      trace: call.trace?.headers,
    };
    const transaction = {
      keys: shadows.map(({ thing, shadow: name }): ShadowKey => ({ tenant, thing, name })),
      change: (states: Basis['states']) => {
        call.see?.({ shadows, states });
        return applyOperations(operations, shadows, states, context, steps);
      },
      ...(call.guarded && { guarded: call.guarded }),
    };
    return { ...(await this.store.transact(transaction, call)), shadows };
  }

  /** Asks the policies for each operation. @throws OperationRefused for the first that the caller may not do */
  checkAllowed(call: TransactionCall, { operations }: TransactionRequest): void {
    operations.forEach((operation, i) => this.#ask(call, operation, i));
  }

  /** Whether the caller may see the document of a shadow. No errors. */
  mayRead(call: TransactionCall, place: ShadowPlace): boolean {
    return this.#refusal(call, 'iot:GetThingShadow', place) === null;
  }

  /** @throws OperationRefused for what the caller may not do */
  #ask(call: TransactionCall, operation: TransactionOperation, index: number): void {
    const asked: (readonly [PolicyAction, ShadowPlace])[] = [[CHANGES[operation.op], operation]];
    if (operation.op === 'promote') {
      asked.push(['iot:GetThingShadow', operation.from], ['iot:UpdateThingShadow', operation.from]);
    }
    for (const condition of operation.conditions) asked.push(['iot:GetThingShadow', condition]);
    for (const [action, place] of asked) {
      const refusal = this.#refusal(call, action, place);
      if (refusal) throw new OperationRefused(refusal, index, { thing: place.thing, shadow: place.shadow });
    }
  }

  #refusal({ principal, address }: TransactionCall, action: PolicyAction, { thing, shadow }: ShadowPlace) {
    const resource = shadow === null ? `thing/${thing}` : `thing/${thing}/${shadow}`;
    return refusalOf(this.authorizer, principal, { action, resource, surroundings: { address } });
  }

  /** A transaction counts as a request for each of its things. @throws RateExceeded */
  #count(principal: Principal, shadows: readonly ShadowPlace[]): void {
    for (const thing of new Set(shadows.map((shadow) => shadow.thing))) {
      const excess = this.limits.take(principal, thing);
      if (excess) throw excess;
    }
  }
}
