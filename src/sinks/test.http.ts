import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { objectOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { sinkNames } from './sink-name.js';
import { testSink } from './sinks.openapi.js';
import { TestSink } from './test.js';

@Controller(['v1/sinks', 'v1/tenants/:tenant/sinks'])
export class TestSinkController {
  constructor(private readonly sinks: TestSink) {}

  @Post(':sink/test-event')
  @HttpCode(200)
  @Action('sink:test')
  @Describe(testSink)
  async test(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    if (Object.keys(objectOf(request)).length > 0)
      throw new ServiceError('invalidRequest', 'The service makes the event; send no body');
    return json(reply, await this.sinks.test(sinkNames(request)));
  }
}
