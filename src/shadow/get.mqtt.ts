import { Controller, Inject } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { getAcceptedText } from '../document/message-texts.js';
import { parseClientToken } from '../document/parse-request.js';
import { echoToken } from '../errors/echo-token.js';
import { DescribeTopics } from '../http/openapi/channels.js';
import { MQTT_DOOR, requestPatterns } from '../mqtt/mqtt-request.js';
import type { MqttRequest, MqttResult } from '../mqtt/mqtt-request.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { GetShadow } from './get.js';
import { topicsFor } from './topics.asyncapi.js';

@Controller()
export class GetShadowMqtt {
  constructor(
    @Inject(GetShadow) private readonly shadow: GetShadow,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @MessagePattern(requestPatterns('get'), MQTT_DOOR)
  @Action('shadow:get')
  @DescribeTopics(topicsFor('get'))
  get(request: MqttRequest): Promise<MqttResult> {
    const clientToken = parseClientToken(request.payload, this.config.limits);
    const answer = this.shadow
      .get(request)
      .then(({ state }) => ({ accepted: getAcceptedText(state, this.clock.now(), clientToken) }));
    return echoToken(clientToken, answer);
  }
}
