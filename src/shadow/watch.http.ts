import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { strictQueryOf } from '../http/query.js';
import { Upgradable } from '../http/server/upgradable.js';
import { FromTarget, type Target } from '../http/caller.js';
import { watch } from './shadow.openapi.js';
import { streamWatch } from './watch-stream.js';
import { WatchShadowQuery } from './watch.dto.js';
import { WatchShadows } from './watch.js';

/** One shadow. */
@Controller('v1/things/:thing/shadow/watch')
export class WatchShadowController {
  constructor(private readonly shadows: WatchShadows) {}

  @Get()
  @Upgradable()
  @Action('shadow:watch')
  @Describe(watch)
  async watch(
    @FromTarget() { key }: Target,
    @Query(strictQueryOf(WatchShadowQuery)) query: WatchShadowQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await streamWatch(this.shadows, key, query, request, reply);
  }
}
