import { Controller, Inject, UseFilters } from '@nestjs/common';
import { Ctx, MessagePattern } from '@nestjs/microservices';
import { Action } from '../access/action.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { CONFIG, type Config } from '../config/config.js';
import { getAccepted, type GetAccepted } from '../document/messages.js';
import { parseClientToken } from '../document/parse-request.js';
import { echoToken } from '../errors/echo-token.js';
import { MqttErrorFilter } from '../mqtt/mqtt-error.filter.js';
import { MQTT_DOOR, MqttRequest, requestPatterns } from '../mqtt/mqtt-request.js';
import { GetShadow } from './get.js';

@Controller()
@UseFilters(MqttErrorFilter)
export class GetShadowMqtt {
  constructor(
    @Inject(GetShadow) private readonly get: GetShadow,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Its result is what goes out on `get/accepted`. */
  @MessagePattern(requestPatterns('get'), MQTT_DOOR)
  @Action('shadow:get')
  async run(@Ctx() request: MqttRequest): Promise<GetAccepted> {
    const clientToken = parseClientToken(request.payload, this.config.limits);
    const { state } = await echoToken(clientToken, this.get.get(request));
    return getAccepted(state, this.clock.now(), clientToken);
  }
}
