import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { strictQueryOf } from '../http/query.js';
import { Upgradable } from '../http/server/upgradable.js';
import { FromCaller, FromThing, type Caller } from '../http/caller.js';
import { streamWatch } from '../shadow/watch-stream.js';
import { WatchThingQuery, WatchThingsQuery } from '../shadow/watch.dto.js';
import { WatchShadows } from '../shadow/watch.js';
import { watchAll, watchThing } from './things.openapi.js';

/** Every shadow of every thing. */
@Controller('v1/watch')
export class WatchThingsController {
  constructor(private readonly shadows: WatchShadows) {}

  @Get()
  @Upgradable()
  @Action('shadow:watch')
  @Describe(watchAll)
  async watch(
    @FromCaller() { principal }: Caller,
    @Query(strictQueryOf(WatchThingsQuery)) query: WatchThingsQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await streamWatch(this.shadows, { tenant: principal.tenant }, query, request, reply);
  }
}

/** Every shadow of one thing. */
@Controller('v1/things/:thing/watch')
export class WatchThingController {
  constructor(private readonly shadows: WatchShadows) {}

  @Get()
  @Upgradable()
  @Action('shadow:watch')
  @Describe(watchThing)
  async watch(
    @FromThing() thing: string,
    @FromCaller() { principal }: Caller,
    @Query(strictQueryOf(WatchThingQuery)) query: WatchThingQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await streamWatch(this.shadows, { tenant: principal.tenant, thing }, query, request, reply);
  }
}
