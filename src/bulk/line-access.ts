import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AUDIT, actorOf, type Audit } from '../access/audit.js';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { RATE_LIMITS, type RateLimits } from '../access/rate-limits.js';
import { refusalOf } from '../access/refusal.js';
import { CONFIG, type Config } from '../config/config.js';
import { ServiceError } from '../errors/service-error.js';
import type { Stop } from './bulk-run.js';
import type { LineChange } from './parse-line.js';

/**
 * Milliseconds for which a request waits whose next line is beyond a limit. What the limit lets through meanwhile is for
 * the other requests that share it.
 */
const PAUSE_MS = 250;

/** Asks limits and policies about each line, as if it had come as a request of its own. */
@Injectable()
export class LineAccess {
  constructor(
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
    @Inject(RATE_LIMITS) private readonly limits: RateLimits,
    @Inject(AUDIT) private readonly audit: Audit,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * Why a line may not be carried out; null: it may. One beyond a limit waits for its turn, for as long as a request may
   * take. It never rejects.
   * @param change null: the line has none
   */
  admit(
    request: FastifyRequest,
    change: LineChange | null,
    stop: Stop,
  ): ServiceError | null | Promise<ServiceError | null> {
    const excess = this.limits.take(request.principal, change?.thing ?? null);
    return excess === null ? this.#refusal(request, change) : this.#wait(request, change, stop, excess);
  }

  /** Whether the caller may still do anything at all. No errors. */
  isActive({ principal }: FastifyRequest): boolean {
    return this.authorizer.isActive(principal);
  }

  async #wait(
    request: FastifyRequest,
    change: LineChange | null,
    stop: Stop,
    excess: ServiceError,
  ): Promise<ServiceError | null> {
    for (let waitedMs = 0; waitedMs < this.config.requestTimeoutMs && !stop.isStopped; waitedMs += PAUSE_MS) {
      await stop.signal.next({ limitMs: PAUSE_MS });
      if (this.limits.take(request.principal, change?.thing ?? null) === null) return this.#refusal(request, change);
    }
    return excess;
  }

  #refusal(request: FastifyRequest, change: LineChange | null): ServiceError | null {
    if (change === null || !this.authorizer.isRequired) return null;
    const { principal, ip: address } = request;
    const { thing, shadow } = change;
    const resource = shadow === null ? `thing/${thing}` : `thing/${thing}/${shadow}`;
    const refusal = refusalOf(this.authorizer, principal, {
      action: 'iot:UpdateThingShadow',
      resource,
      surroundings: { address },
    });
    if (refusal !== null) this.#record(request, resource, refusal);
    return refusal;
  }

  #record({ principal, ip: address, id: requestId }: FastifyRequest, resource: string, error: ServiceError): void {
    const actor = actorOf(principal);
    this.audit.record({
      ...{ action: 'bulk:update', actor, tenant: actor.tenant, target: `/v1/bulk/${resource}`, address },
      ...{ outcome: 'refused', code: error.authCode ?? error.code, requestId },
    });
  }
}
