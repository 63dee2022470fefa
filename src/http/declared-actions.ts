import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ACTION, type ActionName } from '../access/action.js';
import { controllerMethods, routesOf } from './server/controller-methods.js';

/** The actions that controllers declare, by `METHOD /path`. */
export function declaredActions(app: NestFastifyApplication): Map<string, ActionName> {
  const actions = new Map<string, ActionName>();
  for (const { type, handler } of controllerMethods(app)) {
    const action = Reflect.getMetadata(ACTION, handler) as ActionName | undefined;
    for (const route of action === undefined ? [] : routesOf(type, handler)) actions.set(route, action as ActionName);
  }
  return actions;
}
