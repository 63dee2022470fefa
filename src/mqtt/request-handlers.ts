import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { PATTERN_METADATA, TRANSPORT_METADATA } from '@nestjs/microservices/constants.js';
import { MQTT_DOOR, requestPatterns, type MqttHandler } from './mqtt-request.js';
import { OPERATIONS, type Operation } from './topics.js';

/**
 * `transportId` of the transports that call these handlers themselves. No handler names it, so Nest binds none to them
 * (ADR 0014).
 */
export const CALLED_DIRECTLY = Symbol('called directly');

/** Finds the handlers that controllers declare as a MessagePattern of MQTT_DOOR (ADR 0014). */
@Injectable()
export class RequestHandlers {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  /** To be called when the modules are initialised. @throws Error when an operation has no handler */
  byOperation(): ReadonlyMap<Operation, MqttHandler> {
    const byPattern = this.#byPattern();
    const handlers = new Map<Operation, MqttHandler>();
    for (const operation of OPERATIONS) {
      for (const pattern of requestPatterns(operation)) {
        const handler = byPattern.get(pattern);
        if (!handler) throw new Error(`nothing handles ${pattern}`);
        handlers.set(operation, handler);
      }
    }
    return handlers;
  }

  #byPattern(): Map<string, MqttHandler> {
    const handlers = new Map<string, MqttHandler>();
    for (const { controllers } of this.modules.values()) {
      for (const { instance } of controllers.values()) {
        const type = Object.getPrototypeOf(instance) as Record<string, MqttHandler>;
        for (const name of Object.getOwnPropertyNames(type)) {
          const handler = type[name];
          if (typeof handler !== 'function' || Reflect.getMetadata(TRANSPORT_METADATA, handler) !== MQTT_DOOR) continue;
          const patterns = Reflect.getMetadata(PATTERN_METADATA, handler) as string[];
          for (const pattern of patterns) handlers.set(pattern, handler.bind(instance));
        }
      }
    }
    return handlers;
  }
}
