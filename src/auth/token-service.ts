import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ServiceError } from '../errors/service-error.js';
import { formOf, type OAuthForm } from './oauth-form.js';
import { OAuthClients, type OAuthClient } from './oauth-clients.js';
import { TOKEN_AUTHORITY, type TokenAuthority } from './token-authority.js';

/** A request of a client that is known. */
export interface OAuthRequest {
  readonly form: OAuthForm;
  readonly client: OAuthClient;
  readonly authority: TokenAuthority;
}

/** The tokens of this service, for its routes: there are none until it has an issuer. */
@Injectable()
export class TokenService {
  constructor(
    @Inject(TOKEN_AUTHORITY) private readonly given: TokenAuthority | null,
    @Inject(OAuthClients) private readonly clients: OAuthClients,
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
   * @throws OAuthError invalid_request, invalid_client
   * @throws ServiceError noRecord, tooLarge
   */
  requestOf(request: FastifyRequest): OAuthRequest {
    const { authority } = this;
    const form = formOf(request);
    return { form, client: this.clients.authenticate(request, form), authority };
  }
}
