import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { aboutShadow, keyOf, Rpc, type GrpcCall, type NamesShadow } from '../grpc/grpc-call.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { GetShadow } from './get.js';
import { shadowMessage, type ShadowMessage } from './shadow-messages.js';

@Controller()
export class GetShadowGrpc {
  constructor(
    @Inject(GetShadow) private readonly shadow: GetShadow,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Rpc('Shadows', 'Get', aboutShadow)
  @Action('shadow:get')
  async get(call: GrpcCall<NamesShadow>): Promise<ShadowMessage> {
    const record = await this.shadow.get({ key: keyOf(call), deadline: call.deadline });
    return shadowMessage(record, this.clock.now());
  }
}
