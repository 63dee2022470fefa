import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { Describe } from '../http/openapi/describe.js';
import { revoke } from './auth.openapi.js';
import { revokeToken } from './revoke.js';
import { TokenService } from './token-service.js';

@Controller('v1/auth/revoke')
export class RevokeController {
  constructor(
    private readonly tokens: TokenService,
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
  ) {}

  /** Public: its client proves itself as OAuth says, by Basic or in the body. */
  @Post()
  @HttpCode(200)
  @Action('public')
  @Describe(revoke)
  async revoke(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.tokens.answer(request, reply, 'token:revoke', async (asked) => {
      await revokeToken(asked, this.authorizer);
      return {};
    });
  }
}
