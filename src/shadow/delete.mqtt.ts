import { Controller, Inject, UseFilters } from '@nestjs/common';
import { Ctx, MessagePattern } from '@nestjs/microservices';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseClientToken } from '../document/parse-request.js';
import { echoToken } from '../errors/echo-token.js';
import { MqttErrorFilter } from '../mqtt/mqtt-error.filter.js';
import { MQTT_DOOR, MqttRequest, requestPatterns } from '../mqtt/mqtt-request.js';
import { DeleteShadow } from './delete.js';

@Controller()
@UseFilters(MqttErrorFilter)
export class DeleteShadowMqtt {
  constructor(
    @Inject(DeleteShadow) private readonly remove: DeleteShadow,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Ends when the tombstone is committed; accepted comes from the feed. */
  @MessagePattern(requestPatterns('delete'), MQTT_DOOR)
  @Action('shadow:delete')
  async run(@Ctx() request: MqttRequest): Promise<void> {
    const clientToken = parseClientToken(request.payload, this.config.limits);
    request.handOver();
    const { position } = await echoToken(clientToken, this.remove.delete(request, clientToken));
    request.committed(position.revision);
  }
}
