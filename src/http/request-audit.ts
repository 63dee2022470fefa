import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ActionName } from '../access/action.js';
import { actorOf, type Audit, type AuditOutcome } from '../access/audit.js';
import { POLICY_ACTIONS } from '../access/policy-action.js';
import { ANONYMOUS } from '../access/principal.js';
import type { ServiceError } from '../errors/service-error.js';
import { tenantOf } from './record-request.js';
import type { Asked } from './route-access.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Id of the record that it has made, where its path does not name it. */
    made?: string;
    /** Code of the error that it was answered with. */
    faultCode?: string;
  }
}

const READING = /:(?:get|list|explain|watch|check|query|status)$/;

/** Whether every call of an action is to be kept: those that change who may do what. */
export function isAudited(action: ActionName): boolean {
  const asked = action === 'public' ? null : POLICY_ACTIONS[action];
  return asked !== null && asked.startsWith('umbra:Admin') && !READING.test(action);
}

/** Keeps the refusals of all routes, and how calls of audited ones ended. */
export class RequestAudit {
  /** Those that were refused before their handler was asked. */
  readonly #refused = new WeakSet<FastifyRequest>();

  constructor(private readonly audit: Audit) {}

  /** @param isKnown whether its principal is the caller: the credentials were good */
  refused(request: FastifyRequest, action: Asked, { code, authCode }: ServiceError, isKnown: boolean): void {
    this.#refused.add(request);
    this.#record(request, action, { outcome: 'refused', code: authCode ?? code, isKnown });
  }

  /** To be called as its answer is sent, whether or not its caller is still there to hear it. */
  answered(request: FastifyRequest, { statusCode }: FastifyReply, action: Asked): void {
    // Nobody is known while its signature waits for a body that is refused.
    if (this.#refused.has(request) || request.principal === ANONYMOUS) return;
    const refused = statusCode === 401 || statusCode === 403;
    const outcome = statusCode < 400 ? 'done' : refused ? 'refused' : 'failed';
    const code = outcome === 'done' ? null : (request.faultCode ?? String(statusCode));
    this.#record(request, action, { outcome, code, isKnown: true });
  }

  #record(request: FastifyRequest, action: Asked, how: How): void {
    const { principal, ip: address, id: requestId, made } = request;
    const { outcome, code, isKnown } = how;
    // The query may have what should not be kept.
    const path = request.url.split('?', 1)[0] ?? '';
    const actor = isKnown ? actorOf(principal) : null;
    this.audit.record({
      action,
      actor,
      // A stranger must not fill the audit of another tenant.
      tenant: outcome === 'refused' || !isAudited(action) ? (actor?.tenant ?? null) : tenantOf(request),
      target: made === undefined ? path : `${path}/${made}`,
      address,
      outcome,
      code,
      requestId,
    });
  }
}

interface How {
  readonly outcome: AuditOutcome;
  readonly code: string | null;
  readonly isKnown: boolean;
}
