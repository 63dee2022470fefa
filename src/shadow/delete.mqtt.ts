import { Controller, Inject } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseClientToken } from '../document/parse-request.js';
import { echoToken } from '../errors/echo-token.js';
import { DescribeTopics } from '../http/openapi/channels.js';
import { MQTT_DOOR, requestPatterns } from '../mqtt/mqtt-request.js';
import type { MqttRequest, MqttResult } from '../mqtt/mqtt-request.js';
import { DeleteShadow } from './delete.js';
import { topicsFor } from './topics.asyncapi.js';

@Controller()
export class DeleteShadowMqtt {
  constructor(
    @Inject(DeleteShadow) private readonly shadow: DeleteShadow,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Resolves when the tombstone is committed; accepted comes from the feed. */
  @MessagePattern(requestPatterns('delete'), MQTT_DOOR)
  @Action('shadow:delete')
  @DescribeTopics(topicsFor('delete'))
  delete(request: MqttRequest): Promise<MqttResult> {
    const clientToken = parseClientToken(request.payload, this.config.limits);
    return echoToken(clientToken, this.shadow.delete(request, clientToken));
  }
}
