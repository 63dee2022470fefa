import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { AUTHENTICATOR, type Authenticator } from '../access/authenticator.js';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { introspect } from './auth.openapi.js';
import { introspectToken } from './introspect.js';
import { TokenService } from './token-service.js';

@Controller('v1/auth/introspect')
export class IntrospectController {
  constructor(
    private readonly tokens: TokenService,
    @Inject(AUTHENTICATOR) private readonly authenticator: Authenticator,
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
  ) {}

  /** Public: its client proves itself as OAuth says, by Basic or in the body. */
  @Post()
  @HttpCode(200)
  @Action('public')
  @Describe(introspect)
  async introspect(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.tokens.answer(request, reply, 'token:introspect', (asked) =>
      introspectToken(asked, (token) => this.#isAccepted(token, request.ip)),
    );
  }

  async #isAccepted(bearer: string, address: string): Promise<boolean> {
    const shown = { userName: null, password: null, bearer, certificate: null, address };
    const identity = await this.authenticator.authenticate(shown);
    return !(identity instanceof ServiceError) && this.authorizer.isActive(identity);
  }
}
