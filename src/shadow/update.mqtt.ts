import { Controller, Inject, UseFilters } from '@nestjs/common';
import { Ctx, MessagePattern } from '@nestjs/microservices';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseUpdate } from '../document/parse-request.js';
import { echoToken } from '../errors/echo-token.js';
import { MqttErrorFilter } from '../mqtt/mqtt-error.filter.js';
import { MQTT_DOOR, MqttRequest, requestPatterns } from '../mqtt/mqtt-request.js';
import { UpdateShadow } from './update.js';

@Controller()
@UseFilters(MqttErrorFilter)
export class UpdateShadowMqtt {
  constructor(
    @Inject(UpdateShadow) private readonly update: UpdateShadow,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Ends when the update is committed; delta, documents and accepted come from the feed. */
  @MessagePattern(requestPatterns('update'), MQTT_DOOR)
  @Action('shadow:update')
  async run(@Ctx() request: MqttRequest): Promise<void> {
    const patch = parseUpdate(request.payload, this.config.limits);
    request.handOver();
    const { position } = await echoToken(patch.clientToken, this.update.update(request, patch));
    request.committed(position.revision);
  }
}
