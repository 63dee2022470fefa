import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
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

/** The route of a handler as `METHOD /path`, once for each path of its controller; empty for another method. */
export function routesOf(type: object, handler: object): string[] {
  const verb = Reflect.getMetadata(METHOD_METADATA, handler) as number | undefined;
  if (verb === undefined) return [];
  const pathsOf = (of: object): string[] => [Reflect.getMetadata(PATH_METADATA, of) as string | string[]].flat();
  const url = (...path: string[]): string => `/${path.join('/')}`.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '');
  return pathsOf(type).flatMap((first) =>
    pathsOf(handler).map((second) => `${RequestMethod[verb] ?? ''} ${url(first, second)}`),
  );
}
