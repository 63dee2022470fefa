import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { actorOf, AUDIT, type Audit, type AuditOutcome } from '../access/audit.js';
import { RATE_LIMITS, type RateLimits } from '../access/rate-limits.js';
import { ServiceError } from '../errors/service-error.js';
import { oauthAnswer } from './oauth-answer.js';
import { oauthErrorOf } from './oauth-error.js';
import { formOf, type OAuthForm } from './oauth-form.js';
import { OAuthClients, type OAuthClient } from './oauth-clients.js';
import { TOKEN_AUTHORITY, type TokenAuthority } from './token-authority.js';

/** A request of a client that is known. */
export interface OAuthRequest {
  readonly form: OAuthForm;
  readonly client: OAuthClient;
  readonly authority: TokenAuthority;
  /** To be called with the id, never the text, of a token that was made or ended: the audit names it. */
  readonly changed: (token: string) => void;
}

/** What a request is called in the audit. */
export type TokenAction = 'token:grant' | 'token:revoke' | 'token:introspect';

/** The tokens of this service, for its routes: there are none until it has an issuer. */
@Injectable()
export class TokenService {
  constructor(
    @Inject(TOKEN_AUTHORITY) private readonly given: TokenAuthority | null,
    @Inject(OAuthClients) private readonly clients: OAuthClients,
    @Inject(AUDIT) private readonly audit: Audit,
    @Inject(RATE_LIMITS) private readonly limits: RateLimits,
  ) {}

  /** @throws ServiceError noRecord, when no issuer is configured */
  get authority(): TokenAuthority {
    if (this.given !== null) return this.given;
    throw new ServiceError(
      'noRecord',
      'issuer of tokens here: UMBRA_AUTH_ISSUER must be set to the URL of this service',
    );
  }

  /**
   * Answers a request as OAuth says, once its client has proven itself, and keeps what came of it.
   * @throws ServiceError noRecord
   * @throws whatever `work` throws that is no error of the service
   */
  async answer(
    request: FastifyRequest,
    reply: FastifyReply,
    action: TokenAction,
    work: (request: OAuthRequest) => Promise<object>,
  ): Promise<string> {
    const { authority } = this;
    const call: Call = { request, action, client: null, token: null };
    return oauthAnswer(reply, async () => {
      try {
        const form = formOf(request);
        const client = this.clients.authenticate(request, form);
        call.client = client;
        const excess = this.limits.take(client.principal, null);
        if (excess !== null) throw excess;
        const answer = await work({ form, client, authority, changed: (token) => (call.token = token) });
        if (call.token !== null) this.#record(call, 'done', null);
        return answer;
      } catch (error) {
        this.#refused(call, error);
        throw error;
      }
    });
  }

  /** A form that is merely wrong is not kept, as with other routes. */
  #refused(call: Call, thrown: unknown): void {
    const { status = 500, code } = oauthErrorOf(thrown) ?? {};
    if (status >= 500) this.#record(call, 'failed', thrown instanceof ServiceError ? thrown.code : 'internal');
    else if (code !== undefined) this.#record(call, 'refused', code);
  }

  #record({ request, action, client, token }: Call, outcome: AuditOutcome, code: string | null): void {
    const path = request.url.split('?', 1)[0] ?? '';
    this.audit.record({
      ...{ action, actor: client && actorOf(client.principal), tenant: client?.principal.tenant ?? null },
      ...{ target: token === null ? path : `${path}/${token}`, address: request.ip, outcome, code },
      ...{ requestId: request.id, isRoutine: true },
    });
  }
}

interface Call {
  readonly request: FastifyRequest;
  readonly action: TokenAction;
  /** Null: it has not proven itself. */
  client: OAuthClient | null;
  token: string | null;
}
