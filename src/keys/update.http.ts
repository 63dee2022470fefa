import { Controller, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Seniority } from '../directory/seniority.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { objectOf, parameterOf, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { createKey } from './keys.openapi.js';
import { UpdateKey } from './update.js';

@Controller(['v1/principals/:principal/keys', 'v1/tenants/:tenant/principals/:principal/keys'])
export class UpdateKeyController {
  constructor(
    private readonly keys: UpdateKey,
    private readonly seniority: Seniority,
  ) {}

  @Post()
  @Action('key:update')
  @Describe(createKey)
  async create(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { kind = 'secret', title = '', expiresIn = null, ...others } = objectOf(request);
    const [unknown] = Object.keys(others);
    if (unknown !== undefined)
      throw new ServiceError(
        'invalidRequest',
        `A new key has kind, title and expiresIn, but no ${JSON.stringify(unknown)}`,
      );
    const names = [tenantOf(request), parameterOf(request, 'principal')] as const;
    this.seniority.check(request, names);
    const key = await this.keys.create(names, { kind, title, expiresIn });
    request.made = key.id;
    void reply.code(201).header('cache-control', 'no-store');
    return json(reply, key);
  }
}
