import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { getToken } from './auth.openapi.js';
import { TokenService } from './token-service.js';
import { grantToken } from './token.js';

@Controller('v1/auth/token')
export class TokenController {
  constructor(private readonly tokens: TokenService) {}

  /** Public: its client proves itself as OAuth says, by Basic or in the body. */
  @Post()
  @HttpCode(200)
  @Action('public')
  @Describe(getToken)
  async token(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return this.tokens.answer(request, reply, 'token:grant', grantToken);
  }
}
