import { Controller, Inject } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseUpdate } from '../document/parse-request.js';
import { DescribeTopics } from '../http/openapi/channels.js';
import { MQTT_DOOR, requestPatterns } from '../mqtt/mqtt-request.js';
import type { MqttOutcome, MqttRequest } from '../mqtt/mqtt-request.js';
import { UpdateShadow } from './update.js';
import { topicsFor } from './topics.asyncapi.js';

@Controller()
export class UpdateShadowMqtt {
  constructor(
    @Inject(UpdateShadow) private readonly shadow: UpdateShadow,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Settles `outcome` when the update is committed; delta, documents and accepted come from the feed. */
  @MessagePattern(requestPatterns('update'), MQTT_DOOR)
  @Action('shadow:update')
  @DescribeTopics(topicsFor('update'))
  update(request: MqttRequest, outcome: MqttOutcome): void {
    this.shadow.begin(request, parseUpdate(request.payload, this.config.limits), outcome);
  }
}
