import { ModulesContainer } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

export interface ControllerMethod {
  readonly controller: object;
  /** The class of the controller. */
  readonly type: object;
  readonly handler: (...args: never[]) => unknown;
}

/** All methods of all controllers of the application, including methods without a route. */
export function controllerMethods(app: NestFastifyApplication): ControllerMethod[] {
  const modules = [...app.get(ModulesContainer).values()];
  return modules
    .flatMap(({ controllers }) => [...controllers.values()])
    .flatMap(({ instance }) => {
      const controller = instance as object;
      const prototype = Object.getPrototypeOf(controller) as Record<string, unknown>;
      return Object.getOwnPropertyNames(prototype).flatMap((name) => {
        const handler = prototype[name];
        if (typeof handler !== 'function' || name === 'constructor') return [];
        return { controller, type: prototype.constructor, handler: handler as ControllerMethod['handler'] };
      });
    });
}
